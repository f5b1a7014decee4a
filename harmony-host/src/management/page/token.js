// The token of the management API, entered once and kept for the session of this tab. A browser sends no token when it opens
// an address, so the page asks for itself again with it.
const TOKEN = "harmony.management-token";

function credentials() {
  const token = sessionStorage.getItem(TOKEN);
  return token ? { Authorization: `Bearer ${token}` } : {};
}

// Replaces this document by the page that the token opens. Returns what is wrong; "" if nothing is.
async function signIn() {
  try {
    const page = await fetchPage(location.href);
    document.title = page.title;
    document.body.replaceWith(document.adoptNode(page.body));
    document.dispatchEvent(new Event("DOMContentLoaded"));
    document.querySelector("main").focus();
    return "";
  } catch (error) {
    sessionStorage.removeItem(TOKEN);
    if (error.status === 401) return "The gateway refused this token. It is the value of `token` in [management] of config.toml.";
    return error.status ? error.message : "The gateway does not answer.";
  }
}

document.addEventListener("DOMContentLoaded", () => {
  const forget = document.getElementById("forget");
  if (forget) {
    forget.hidden = !sessionStorage.getItem(TOKEN);
    forget.addEventListener("click", () => { sessionStorage.removeItem(TOKEN); location.reload(); });
  }
  const form = document.getElementById("signin");
  if (!form) return;
  const field = document.getElementById("token");
  const attempt = async () => {
    const problem = await signIn();
    if (!problem) return;
    document.getElementById("token-error").textContent = problem;
    field.setAttribute("aria-invalid", "true");
    field.focus();
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    sessionStorage.setItem(TOKEN, field.value.trim());
    attempt();
  });
  if (sessionStorage.getItem(TOKEN)) attempt();
});
