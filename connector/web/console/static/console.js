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

// Long work shows its progress: the page's main part is fetched again until it asks for no more.
function keepFresh() {
  const part = document.querySelector("[data-refresh]");
  if (!part) return;
  setTimeout(async () => {
    const open = document.querySelector("main details[open]");
    const busy = open || document.activeElement?.closest("main form");
    if (!busy && !document.hidden) {
      const answer = await fetch(location.href).catch(() => null);
      if (answer?.ok && !answer.redirected) {
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        document.querySelector("main").replaceChildren(...page.querySelector("main").childNodes);
        dress(document.querySelector("main"));
      }
    }
    keepFresh();
  }, Number(part.dataset.refresh) * 1000);
}

function dress(within) {
  tellTimes(within);
  offerCopies(within);
}

dress(document);
keepFresh();
