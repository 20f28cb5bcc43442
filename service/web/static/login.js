// Logs in with a request of our own, so that the token is never part of a form submission or an address.
const form = document.getElementById("login");
const problem = document.getElementById("problem");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  problem.hidden = true;
  const button = form.querySelector("button");
  button.disabled = true;
  try {
    const answer = await fetch("/login", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ token: form.elements.token.value }),
    });
    if (answer.ok) {
      const next = new URLSearchParams(location.search).get("next") || "/";
      location.assign(/^\/(?![\/\\])/.test(next) ? next : "/"); // never to another site
      return;
    }
    problem.textContent = answer.status === 401 ? "That is not the token." : `The service answered ${answer.status}.`;
  } catch {
    problem.textContent = "The service does not answer.";
  }
  problem.hidden = false;
  button.disabled = false;
});
