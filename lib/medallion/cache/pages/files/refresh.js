// Puts the newest status in place: often while a sync is at work, else now and then. The page works without it.
async function refresh(part) {
  try {
    const answer = await fetch(part.dataset.refresh);
    if (answer.ok) part.innerHTML = await answer.text();
  } catch { /* the server is away; the next try may find it */ }
  const working = part.querySelector("[data-working], .state.syncing");
  setTimeout(refresh, working ? 1000 : 5000, part);
}
for (const part of document.querySelectorAll("[data-refresh]")) setTimeout(refresh, 1000, part);
