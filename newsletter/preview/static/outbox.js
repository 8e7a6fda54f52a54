// Comfort only: without this module the list, the search, paging and every view work all the same.

const page = document.body;
const list = document.querySelector(".list");
const rows = [...document.querySelectorAll("a.row")];
const search = document.getElementById("q");

// "/" searches; J and K walk through the messages.
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.matches("input, select, textarea")) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  const key = event.key.toLowerCase();
  if (key === "/") {
    event.preventDefault();
    search.focus();
    search.select();
  } else if (key === "j" || key === "k") {
    step(key === "j" ? 1 : -1);
  }
});

function step(by) {
  const link = document.querySelector(`.step[rel="${by > 0 ? "next" : "prev"}"]`);
  if (page.classList.contains("at-message")) {
    link?.click();
    return;
  }
  const at = rows.indexOf(document.activeElement);
  rows[Math.min(Math.max(at + by, 0), rows.length - 1)]?.focus();
}

// An issue chosen from the list is shown at once.
document.getElementById("issue")?.addEventListener("change", (event) => event.target.form.requestSubmit());

// The list keeps its place while one message after another is opened.
const place = "outbox-list";
const kept = JSON.parse(sessionStorage.getItem(place) ?? "null");
if (kept && kept.first === rows[0]?.pathname) list.scrollTop = kept.top;
document.querySelector(".row[aria-current]")?.scrollIntoView({ block: "nearest" });
window.scrollTo(0, 0);
addEventListener("pagehide", () => {
  sessionStorage.setItem(place, JSON.stringify({ first: rows[0]?.pathname, top: list.scrollTop }));
});

// A send may be running: say when there is more to see.
const fresh = document.querySelector(".fresh");
const shown = Number(page.dataset.messages);
fresh.setAttribute("role", "status");

async function look() {
  if (document.hidden) return;
  try {
    const { messages } = await (await fetch("/state")).json();
    if (messages === shown) return;
    if (shown === 0) {
      location.reload();
      return;
    }
    const more = messages - shown;
    const count = new Intl.NumberFormat("en").format(Math.abs(more));
    fresh.textContent = more > 0 ? `${count} new – show` : `${count} gone – show`;
    fresh.hidden = false;
  } catch {
    // The outbox was stopped; it answers again when it is started again.
  }
}
setInterval(look, 3000);
