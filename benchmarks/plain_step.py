"""The training step in the plain order of the RVC family, as a measure for ours: the same mathematics, nothing saved.

Each step reads its clips from their files, looks at the real and the generated audio with the whole discriminator twice, lets the
generator's loss compute gradients of the discriminator's weights too, uses an optimizer that goes from tensor to tensor, and asks the
device for every number by itself.
"""

import torch

from rvc.models.draws import ItemDraws
from rvc.models.synthesizer import frames_from
from rvc.train.data.clips import Clip
from rvc.train.fitting import losses
from rvc.train.fitting.dataset import ClipDataset, Part
from rvc.train.fitting.mel import mel_spectrogram
from rvc.train.fitting.state import TrainingState
from rvc.train.fitting.step import item_seeds


class PlainStepper:
    """Steps ``state`` forward as the plain order does. Its optimizers are its own: those of ``state`` are not used."""

    def __init__(self, state: TrainingState, run, device: torch.device, autocast: torch.dtype | None) -> None:
        self.state, self._run, self._device, self._autocast_dtype = state, run, device, autocast
        for critic in state.discriminator.discriminators:
            critic.side_by_side = False  # the periods as two-dimensional convolutions, as they are written down
        rate_g, rate_d = (one.param_groups[0]["initial_lr"] for one in (state.optimizer_g, state.optimizer_d))
        self._optimizers = [
            torch.optim.AdamW(network.parameters(), lr=rate, betas=(0.8, 0.99), eps=1e-9, weight_decay=0.01, foreach=False, fused=False)
            for network, rate in ((state.synthesizer, rate_g), (state.discriminator, rate_d))]

    def step(self, clips: list[Clip]) -> dict[str, float]:
        state, config = self.state, self.state.config
        dataset = ClipDataset(self._run, config, clips)  # forgets the clips after this step
        items = tuple(dataset[i] for i in range(len(clips)))
        frames = tuple(item.spec.shape[-1] for item in items)
        part = Part(items, tuple(range(len(clips))), frames, len(clips), sum(frames))
        batch = part.batch(self._device)
        optimizer_g, optimizer_d = self._optimizers
        with self._autocast():
            output = state.synthesizer(batch.speech, batch.spec, ItemDraws(item_seeds(state, part), frames, self._device))
        real = frames_from(batch.audio, output.slice_starts * config.hop_length, config.segment_samples)

        with self._autocast():
            real_opinions, fake_opinions = state.discriminator(real), state.discriminator(output.audio.detach())
        d_loss = losses.discriminator_losses([one.score for one in real_opinions], [one.score for one in fake_opinions])
        optimizer_d.zero_grad()
        d_loss.total.backward()
        norm_d = self._norm(state.discriminator)
        optimizer_d.step()

        with self._autocast():
            real_opinions, fake_opinions = state.discriminator(real), state.discriminator(output.audio)
        g_loss = losses.GeneratorLosses.of(
            adversarial=losses.adversarial_loss([one.score for one in fake_opinions]),
            feature_matching=losses.feature_matching_loss([one.feature_maps for one in real_opinions],
                                                          [one.feature_maps for one in fake_opinions]),
            mel=losses.mel_loss(self._mel(real), self._mel(output.audio), weight=state.fit.mel_weight),
            kl=losses.kl_loss(output.z_p, output.log_std_q, output.mean_p, output.log_std_p, output.content_mask,
                              weight=state.fit.kl_weight))
        optimizer_g.zero_grad()
        g_loss.total.backward()
        norm_g = self._norm(state.synthesizer)
        optimizer_g.step()
        state.step += 1
        values = {tag: value.item() for tag, value in {**d_loss.by_tag(), **g_loss.by_tag()}.items()}
        return {**values, "grad/norm_d": norm_d, "grad/norm_g": norm_g}

    def _norm(self, network: torch.nn.Module) -> float:
        """L2, one tensor after the other."""
        return sum(one.grad.norm().item() ** 2 for one in network.parameters() if one.grad is not None) ** 0.5

    def _mel(self, audio: torch.Tensor) -> torch.Tensor:
        config = self.state.config
        return mel_spectrogram(audio[:, 0], sample_rate=config.sample_rate, n_fft=config.n_fft, hop_length=config.hop_length,
                               n_mels=config.n_mels)

    def _autocast(self):
        return torch.autocast(self._device.type, dtype=self._autocast_dtype, enabled=self._autocast_dtype is not None)
