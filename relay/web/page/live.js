// Replaces what is marked live by what the server sends. Without scripts the
// page is as it was when it was loaded.
const live = document.querySelector("[data-stream]");
if (live && window.EventSource) {
  const source = new EventSource(live.dataset.stream);
  source.addEventListener("page", (event) => {
    const focused = live.contains(document.activeElement) ? document.activeElement.id : "";
    const scrolled = [...live.querySelectorAll(".scroll")].map((e) => e.scrollLeft);
    live.innerHTML = JSON.parse(event.data);
    live.querySelectorAll(".scroll").forEach((e, i) => { e.scrollLeft = scrolled[i] || 0; });
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  });
  window.addEventListener("pagehide", () => source.close());
}
