// Which tab a reload opens is in the address (?tab=train) and is settled in the browser alone: an answer from the server would
// throw back a reader who has clicked another tab in the meantime. Read here, before the first tab's own event writes itself there.
window.timbre = {
    wanted: new URL(location).searchParams.get("tab"),
    remember(name) {
        const address = new URL(location);
        address.searchParams.set("tab", name);
        history.replaceState(null, "", address);
    },
    open(name, tries = 60) {
        const button = document.getElementById(`tab-${name}-button`);
        if (button) { if (button.getAttribute("aria-selected") !== "true") button.click(); }
        else if (tries > 0) setTimeout(() => window.timbre.open(name, tries - 1), 50);
    },
    openWanted() { if (this.wanted) this.open(this.wanted); },
};
