// Before the first paint, so that nothing flashes.
try { document.documentElement.dataset.theme = localStorage.getItem("xaibench-theme") || ""; } catch { /* no storage here */ }
