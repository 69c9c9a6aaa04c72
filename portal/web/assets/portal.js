// What a script adds to pages that work without one: the portal's end is seen while a
// page is open, and the host's page is told of it where it has the portal in a frame.
(() => {
  "use strict";
  const body = document.body;
  const framed = window.parent !== window;

  // Enter would press the first button of a form, which may be the one that finds spaces.
  for (const find of document.querySelectorAll("button[name=find]")) {
    find.form.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || !event.target.matches("input:not([name=find_text], [type=checkbox])")) return;
      event.preventDefault();
      find.form.requestSubmit(find.form.querySelector("button.primary"));
    });
  }

  const tell = (type) => {
    if (!framed) return;
    for (const origin of (body.dataset.tell || "").split(" ").filter(Boolean)) {
      try {
        window.parent.postMessage({ source: "customer-portal", type, expires_at: body.dataset.expiresAt }, origin);
      } catch {
        // An origin that cannot be one is nobody's.
      }
    }
  };
  if (!body.dataset.secondsLeft) return;

  // Timers of more than 24 days run at once, and clocks of a machine that slept are late.
  const end = Date.now() + Number(body.dataset.secondsLeft) * 1000;
  const warnAt = end - Number(body.dataset.warnAt) * 1000;
  let warned = false;
  const look = () => {
    const now = Date.now();
    if (now >= end) {
      document.getElementById("soon").hidden = true;
      document.getElementById("over").hidden = false;
      for (const button of document.querySelectorAll("main button")) button.disabled = true;
      tell("expired");
      return;
    }
    if (now >= warnAt && !warned) {
      warned = true;
      document.getElementById("soon").hidden = false;
      tell("expiring");
    }
    setTimeout(look, Math.min((warned ? end : warnAt) - now + 50, 60_000));
  };
  tell("ready");
  look();
})();
