// What pages do without, but do better with: local times, copying, finding, progress.
"use strict";

const inYourZone = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

function tellTimes(within) {
  for (const time of within.querySelectorAll("time[datetime]")) {
    time.textContent = inYourZone.format(new Date(time.dateTime));
  }
}

function offerCopies(within) {
  if (!navigator.clipboard) return; // it needs TLS, or this machine
  for (const button of within.querySelectorAll("button[data-copy]")) {
    button.hidden = false;
  }
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-copy]");
  if (!button) return;
  const label = button.textContent;
  // Only what is seen: a key is shown in one of two ways.
  await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).innerText);
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = label; }, 1500);
});

document.addEventListener("input", (event) => {
  const selector = event.target.dataset.filter;
  if (!selector) return;
  const words = event.target.value.toLowerCase();
  const rows = [...document.querySelectorAll(selector)];
  for (const row of rows) row.hidden = !row.textContent.toLowerCase().includes(words);
  const shown = rows.filter((row) => !row.hidden).length;
  document.querySelector("[data-shown]").textContent = `${shown} of ${rows.length}`;
});

// With scripts the list below follows as one types; to send the form would only look up again.
document.addEventListener("submit", (event) => {
  if (event.target.querySelector("[data-filter]")) event.preventDefault();
});

// Long work shows its progress: the parts that say so are fetched again, until they say so no more.
function keepFresh() {
  const part = document.querySelector("[data-refresh]");
  if (!part) return;
  setTimeout(async () => {
    if (!isInUse()) {
      const answer = await fetch(location.href).catch(() => null);
      if (answer?.redirected) return; // signed out meanwhile
      if (answer?.ok) renew(new DOMParser().parseFromString(await answer.text(), "text/html"));
    }
    keepFresh();
  }, Number(part.dataset.refresh) * 1000);
}

// Whoever reads, selects or tabs there is left alone.
function isInUse() {
  const main = document.querySelector("main");
  return document.hidden || main.querySelector("details[open]") || !getSelection().isCollapsed ||
    main.contains(document.activeElement) && main !== document.activeElement;
}

function renew(page) {
  // Charts are drawn as a page begins.
  if (page.querySelector("[data-series]")) location.reload();
  const fresh = page.querySelectorAll("[data-fresh]");
  const shown = document.querySelectorAll("[data-fresh]");
  if (fresh.length !== shown.length) location.reload();
  shown.forEach((part, place) => {
    part.replaceWith(fresh[place]);
    dress(fresh[place]);
  });
}

function dress(within) {
  tellTimes(within);
  offerCopies(within);
}

dress(document);
keepFresh();
