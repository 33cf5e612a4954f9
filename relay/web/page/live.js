// Replaces what is marked live by what the server sends, and writes the time of
// this place beside UTC. Without scripts the page is as it was when it was loaded.
const localTimes = (root) => root.querySelectorAll("time").forEach((e) => {
  const at = new Date(e.dateTime);
  const same = at.toDateString() === new Date().toDateString();
  e.title = at.toLocaleString();
  e.append(" (", same ? at.toLocaleTimeString() : at.toLocaleString(), " here)");
});
localTimes(document);
const live = document.querySelector("[data-stream]");
if (live && window.EventSource) {
  const source = new EventSource(live.dataset.stream);
  source.addEventListener("page", (event) => {
    const focused = live.contains(document.activeElement) ? document.activeElement.id : "";
    const scrolled = [...live.querySelectorAll(".scroll")].map((e) => e.scrollLeft);
    live.innerHTML = JSON.parse(event.data);
    localTimes(live);
    live.querySelectorAll(".scroll").forEach((e, i) => { e.scrollLeft = scrolled[i] || 0; });
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  });
  window.addEventListener("pagehide", () => source.close());
}
