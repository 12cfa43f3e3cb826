"use strict";
// Asks for the same page again and again, and replaces its live part if that has changed.
// The browser's cache makes the requests conditional: an unchanged page is a 304 without a body.
(() => {
  let live = document.getElementById("live");
  if (!live || !live.dataset.live) return;
  const pause = document.getElementById("pause");
  const said = document.getElementById("said");
  let paused = false, timer = 0, tag = null;

  const again = (seconds) => {
    clearTimeout(timer);
    if (seconds && !paused && !document.hidden) timer = setTimeout(look, seconds * 1000);
  };

  // A region stays where the reader has scrolled it; one at its end shows the new end.
  const scrolled = () => new Map([...live.querySelectorAll("[role=region]")].map((each) =>
    [each.getAttribute("aria-label"), {
      top: each.scrollTop, left: each.scrollLeft,
      ended: each.scrollTop > 0 && each.scrollTop + each.clientHeight > each.scrollHeight - 4,
    }]));

  const scroll = (places) => {
    for (const each of live.querySelectorAll("[role=region]")) {
      const place = places.get(each.getAttribute("aria-label"));
      if (!place) continue;
      each.scrollTop = place.ended ? each.scrollHeight : place.top;
      each.scrollLeft = place.left;
    }
  };

  const show = (fresh) => {
    if (fresh.outerHTML === live.outerHTML) return;
    const focused = live.contains(document.activeElement) && document.activeElement;
    const href = focused && focused.getAttribute("href");
    const label = focused && focused.getAttribute("aria-label");
    const places = scrolled();
    fresh = document.importNode(fresh, true);
    live.replaceWith(fresh);
    live = fresh;
    scroll(places);
    const same = focused && [...live.querySelectorAll("a, [tabindex]")].find(
      (each) => each.getAttribute("href") === href && each.getAttribute("aria-label") === label);
    if (same) same.focus({ preventScroll: true });
    const say = live.dataset.say || "";
    if (said && said.textContent !== say) said.textContent = say;
  };

  const look = async () => {
    let wait = Number(live.dataset.live) || 0;
    try {
      const answer = await fetch(location.href, {
        headers: { Accept: "text/html" }, cache: "no-cache", credentials: "same-origin",
      });
      if (answer.redirected) return location.reload();  // to the login
      if (answer.ok && (tag === null || answer.headers.get("ETag") !== tag)) {
        tag = answer.headers.get("ETag");
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        const fresh = page.getElementById("live");
        if (fresh) {
          wait = Number(fresh.dataset.live) || 0;
          show(fresh);
          if (!wait && pause) pause.hidden = true;
          document.title = page.title;
        }
      } else if (!answer.ok) {
        wait = Math.max(wait, Number(answer.headers.get("Retry-After")) || 10);
      }
    } catch {
      wait = Math.max(wait, 10);  // the server is away
    }
    again(wait);
  };

  if (pause) {
    pause.hidden = false;
    pause.addEventListener("click", () => {
      paused = !paused;
      pause.setAttribute("aria-pressed", String(paused));
      if (paused) clearTimeout(timer); else look();
    });
  }
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) clearTimeout(timer); else if (!paused && live.dataset.live) look();
  });
  again(Number(live.dataset.live));
})();
