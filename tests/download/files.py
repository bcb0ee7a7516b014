"""Files that look like what is downloaded."""

import io
import zipfile


def checkpoint(size: int = 100_000, seed: int = 0) -> bytes:
    """Bytes laid out like a file of torch.save, of about ``size`` bytes that do not compress to a pattern."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("model/data.pkl", b"\x80\x02}q\x00.")
        archive.writestr("model/data/0", bytes((i * 7919 + seed) % 251 for i in range(size)))
    return out.getvalue()
