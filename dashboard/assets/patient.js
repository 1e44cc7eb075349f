// How is an alert scored again from its page? Asks the route, and writes the answer beside the button.
(function () {
  "use strict";
  document.addEventListener("click", function (event) {
    const button = event.target.closest("[data-replay]");
    if (!button) return;
    const said = button.parentElement.querySelector(".replay-said");
    button.disabled = true;
    said.textContent = "…";
    fetch("/api/v1/episodes/" + encodeURIComponent(button.dataset.replay) + "/replay", { method: "POST", headers: { Accept: "application/json" } })
      .then(function (answer) { return answer.ok ? answer.json() : Promise.reject(answer.status); })
      .then(function (found) {
        said.textContent = [found.sentence].concat(found.differences).join(" ");
        said.className = "replay-said " + (found.same ? "replay-same" : "replay-differs");
      })
      .catch(function () { said.textContent = "This could not be scored again just now."; })
      .finally(function () { button.disabled = false; });
  });
})();
