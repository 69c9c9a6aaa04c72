// The pages work without this script. It shows the end of the portal while a page is open, and posts messages about it and
// about the height of the page to the host's page if the portal is in a frame. It also shows results of a search while the
// visitor types, and keeps unsaved input when the visitor goes back to a form.
(() => {
  "use strict";
  const body = document.body;
  const framed = window.parent !== window;

  // "/" moves the focus to the search box.
  document.addEventListener("keydown", (event) => {
    const search = document.getElementById("search");
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || !search) return;
    if (event.target.matches?.("input:not([type=checkbox], [type=radio]), select, textarea, [contenteditable]")) return;
    event.preventDefault();
    search.focus();
    search.select();
  });

  // The first results of a search appear below the search box while the visitor types. They come from the page of results.
  const box = document.getElementById("search");
  if (box) {
    const quick = Object.assign(document.createElement("div"), { className: "quick", hidden: true });
    box.form.append(quick);
    let timer, request;
    const stop = () => { clearTimeout(timer); request?.abort(); };
    const close = () => { stop(); quick.hidden = true; };
    const add = (parent, name, text) => parent.appendChild(Object.assign(document.createElement(name), { textContent: text }));
    const suggest = async () => {
      const found = [];
      try {
        request = new AbortController();
        const answer = await fetch(`${box.form.action}?${new URLSearchParams(new FormData(box.form))}`, { signal: request.signal });
        if (answer.ok) found.push(...new DOMParser().parseFromString(await answer.text(), "text/html").querySelectorAll(".found-group"));
      } catch {
        return; // the visitor continued to type, or is offline
      }
      quick.replaceChildren();
      for (const group of found) {
        const links = [...group.querySelectorAll("th a, li a")].slice(0, 5);
        if (links.length > 0) add(quick, "p", group.querySelector("h2").textContent);
        for (const link of links) {
          const item = add(quick, "a", link.textContent);
          item.href = link.getAttribute("href");
          const details = [...link.closest("tr, li").querySelectorAll("td:nth-child(-n+4), .muted")].map((e) => e.textContent.trim());
          if (details.length > 0) add(item, "small", details.slice(0, 3).join(" · "));
        }
      }
      quick.hidden = quick.childElementCount === 0;
    };
    box.addEventListener("input", () => {
      stop();
      if (box.value.trim().length < 2) close();
      else timer = setTimeout(suggest, 250);
    });
    box.form.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && !quick.hidden) {
        event.preventDefault();
        close();
        box.focus();
      }
      const links = [...quick.querySelectorAll("a")];
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (!step || quick.hidden) return;
      event.preventDefault();
      (links[links.indexOf(document.activeElement) + step] ?? (step < 0 ? box : links.at(-1))).focus();
    });
    box.form.addEventListener("focusout", (event) => { if (!box.form.contains(event.relatedTarget)) close(); });
    box.form.addEventListener("submit", close);
  }

  // Enter presses the first button of a form by default, which may be one that searches for spaces or for guests.
  for (const form of document.querySelectorAll("form:has(button[name=find], button[name=guest_find])")) {
    form.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || !event.target.matches("input:not([name=find_text], [name=guest_text], [type=checkbox])")) return;
      event.preventDefault();
      form.requestSubmit(form.querySelector("button.primary"));
    });
  }

  // Browsers do not restore the input of pages that they must not store. The script therefore keeps unsaved input and the
  // hidden inputs in the session storage of the tab, until the form is opened again or the portal is closed.
  const storage = (() => {
    try {
      return window.sessionStorage;
    } catch {
      return null; // the browser blocks storage in this frame
    }
  })();
  const problem = document.querySelector("[data-problem].problem")?.dataset.problem;
  if (storage && /^(ended|expired|revoked)/.test(problem ?? "")) {
    for (const key of Object.keys(storage)) {
      if (key.startsWith("draft ")) storage.removeItem(key);
    }
  }
  const form = document.querySelector("form#form");
  if (form && storage) {
    const key = `draft ${location.pathname}${location.search}`;
    const choice = (e) => e.type === "checkbox" || e.type === "radio";
    const controls = () => [...form.elements].filter((e) => e.name && e.name !== "new_locale" && e.matches("input, select"));
    const dirty = (e) => {
      if (choice(e)) return e.checked !== e.defaultChecked;
      if (e.matches("select")) return [...e.options].some((o, i) => o.selected !== (o.defaultSelected || i === 0 && ![...e.options].some((p) => p.defaultSelected)));
      return e.value !== e.defaultValue;
    };
    const restore = (draft) => {
      for (const e of controls()) {
        if (choice(e)) e.checked = draft.some((d) => d.checked && d.name === e.name && d.value === e.value);
      }
      for (const d of draft) {
        const same = controls().filter((e) => e.name === d.name);
        if (d.label === undefined) {
          if (same[0]) same[0].value = d.value;
        } else if (d.checked && !same.some((e) => e.value === d.value)) { // a search result that is not on this page
          const input = Object.assign(document.createElement("input"), { type: d.type, name: d.name, value: d.value, checked: true });
          const label = document.createElement("label");
          label.append(input, d.label);
          (same[0]?.closest("ul, fieldset") ?? document.getElementById(`f-${d.name}`) ?? form).append(label);
        }
      }
    };
    const entry = performance.getEntriesByType("navigation")[0];
    const saved = storage.getItem(key);
    if (entry?.type !== "back_forward") {
      if (!("typed" in form.dataset)) storage.removeItem(key);
    } else if (saved) {
      restore(JSON.parse(saved));
    }
    window.addEventListener("pagehide", () => {
      if (!("typed" in form.dataset) && !controls().some(dirty)) {
        storage.removeItem(key);
        return;
      }
      const draft = controls().map((e) => ({
        name: e.name, type: e.type, value: e.value, checked: e.checked, label: choice(e) ? e.closest("label")?.textContent.trim() : undefined,
      }));
      try {
        storage.setItem(key, JSON.stringify(draft));
      } catch {
        storage.removeItem(key); // the storage is full
      }
    });
  }

  // A button copies the code beside it.
  for (const button of document.querySelectorAll("button[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", () => {
      const code = document.getElementById(button.dataset.copy);
      if (code.select) code.select();
      else window.getSelection().selectAllChildren(code);
      if (!document.execCommand("copy")) navigator.clipboard?.writeText(code.value ?? code.textContent);
      button.textContent = button.dataset.done;
    });
  }

  const tell = (type, more = {}) => {
    if (!framed) return;
    for (const origin of (body.dataset.tell || "").split(" ").filter(Boolean)) {
      try {
        window.parent.postMessage({ source: "customer-portal", type, expires_at: body.dataset.expiresAt, ...more }, origin);
      } catch {
        // Ignore an invalid origin.
      }
    }
  };
  if (!body.dataset.secondsLeft) return;

  // Timers of more than 24 days fire immediately, and timers are late after the machine was suspended.
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

  // The host's page can make the frame as high as the page, so that only one of them scrolls.
  let height = 0;
  new ResizeObserver(() => {
    const now = Math.ceil(body.getBoundingClientRect().height);
    if (now === height) return;
    height = now;
    tell("height", { height });
  }).observe(body);
})();
