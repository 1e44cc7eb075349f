// The acts of the page "Quarantine": replay, assign and replay, discard; one message or a whole cause. Each is as many
// requests as it takes, and the page says how far it has come.
(function () {
  "use strict";
  const API = "/api/v1/quarantine/";
  const FOUND = 8, TYPING_MS = 250;
  const MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
  let busy = false, turn = 0, typing = null;

  window.dash_clientside = Object.assign({}, window.dash_clientside, {
    homewardQuarantine: {
      turn: function (_count, at) {
        const inUse = busy || document.querySelector("#quarantine-list details[open]") ||
          document.activeElement && document.activeElement.closest("#quarantine-list");
        return inUse ? window.dash_clientside.no_update : (at || 0) + 1;
      },
    },
  });

  function setProps(id, props) {
    window.dash_clientside.set_props(id, props);
  }

  function say(words, done, all) {
    const bar = all === undefined ? [] : [{
      type: "Progress", namespace: "dash_html_components",
      props: { value: String(done), max: String(all), "aria-label": words },
    }];
    setProps("quarantine-said", {
      children: [{ type: "P", namespace: "dash_html_components", props: { children: words } }].concat(bar),
    });
  }

  function refresh() {
    turn += 1;
    setProps("quarantine-turn", { data: "done-" + turn });
  }

  async function post(path, body) {
    const answer = await fetch(API + path, {
      method: "POST", headers: { "Content-Type": "application/json", Accept: "application/json" },
      body: JSON.stringify(body),
    });
    if (answer.status === 204) return null;
    let found = {};
    try { found = await answer.json(); } catch (error) { /* no JSON, no more to say than the status */ }
    if (!answer.ok) throw new Error(found.detail && String(found.detail) || "The server answered " + answer.status + ".");
    return found;
  }

  function cause(node) {
    const data = node.closest(".cause").dataset;
    return {
      reason: data.reason, source: data.source, device_id: Number(data.device), up_to: Number(data.upto),
    };
  }

  function chosen(node) {
    const one = node.closest(".cause-message");
    return one ? { items: [Number(one.dataset.item)] } : cause(node);
  }

  function size(node) {
    return node.closest(".cause-message") ? 1 : Number(node.closest(".cause").dataset.messages);
  }

  function field(node, key) {
    const box = node.closest(".cause-form").querySelector("input.field-" + key + ", .field-" + key + " input");
    return box ? box.value.trim() : "";
  }

  function many(count, word) {
    return count.toLocaleString("en-GB") + " " + word + (count === 1 ? "" : "s");
  }

  async function replay(choice, all) {
    const sum = { messages: 0, done: 0, waiting: 0, stored: 0, duplicate: 0 };
    let after = 0;
    do {
      say("Replaying: " + sum.messages.toLocaleString("en-GB") + " of " + many(all, "message") + "…", sum.messages, all);
      const part = await post("replay", Object.assign({ after: after }, choice));
      Object.keys(sum).forEach(function (name) { sum[name] += part[name]; });
      choice = choice.items ? choice : Object.assign({}, choice, { up_to: part.up_to });
      after = part.next;
    } while (after !== null);
    let words = "Replayed " + many(sum.messages, "message") + ": " + many(sum.stored, "observation") + " stored";
    if (sum.duplicate) words += ", " + sum.duplicate.toLocaleString("en-GB") + " had been stored before";
    words += sum.waiting ? ". " + many(sum.waiting, "message") + " cannot be stored yet and still " +
      (sum.waiting === 1 ? "waits" : "wait") + "." : ".";
    return words;
  }

  async function discard(choice, note, all) {
    let done = 0, after = 0;
    do {
      say("Discarding: " + done.toLocaleString("en-GB") + " of " + many(all, "message") + "…", done, all);
      const part = await post("discard", Object.assign({ after: after, note: note }, choice));
      done += part.messages;
      after = part.next;
    } while (after !== null);
    return "Discarded " + many(done, "message") + ".";
  }

  // an instant of this computer's own clock, as people write it
  function instant(written, what) {
    const parts = /^(\d{1,2})[ .\/-]([A-Za-z]{3,9}|\d{1,2})[ .\/-](\d{4}),? +(\d{1,2}):(\d\d)$/.exec(written);
    const month = parts ? MONTHS.indexOf(parts[2].slice(0, 3).toLowerCase()) : -1;
    if (!parts || (isNaN(parts[2]) && month < 0)) throw new Error(what + ": write it as 22 Nov 2026 08:00.");
    const which = month < 0 ? +parts[2] - 1 : month;
    const at = new Date(+parts[3], which, +parts[1], +parts[4], +parts[5]);
    if (isNaN(at) || at.getMonth() !== which) throw new Error(what + ": there is no such time.");
    return at.toISOString();
  }

  function day(at) {
    const name = MONTHS[at.getMonth()];
    return at.getDate() + " " + name[0].toUpperCase() + name.slice(1) + " " + at.getFullYear();
  }

  function written(at) {
    const two = function (n) { return String(n).padStart(2, "0"); };
    return day(at) + " " + two(at.getHours()) + ":" + two(at.getMinutes());
  }

  async function assign(node) {
    const person = /no\. (\d+)$/.exec(field(node, "patient"));
    if (!person) throw new Error("Choose the patient from the list below the field.");
    const user = field(node, "user");
    if (!/^\d{1,5}$/.test(user)) throw new Error("The user number is a number; 0 where the device has no users.");
    const until = field(node, "until");
    const which = cause(node), all = size(node);
    await post("assign", {
      device_id: which.device_id, patient_id: Number(person[1]), user: Number(user),
      from: instant(field(node, "from"), "From"), until: until ? instant(until, "Until") : null,
    });
    return replay(which, all);
  }

  async function act(button) {
    if (busy) return;
    busy = true;
    button.disabled = true;
    try {
      const name = button.dataset.act;
      let words;
      if (name === "replay") words = await replay(chosen(button), size(button));
      else if (name === "assign") words = await assign(button);
      else {
        const note = field(button, "note");
        if (!note) throw new Error("Say why they are not wanted.");
        words = await discard(chosen(button), note, size(button));
      }
      say(words);
      refresh();
    } catch (error) {
      say("Not done: " + error.message);
    } finally {
      busy = false;
      button.disabled = false;
      const said = document.getElementById("quarantine-said");
      if (said) said.scrollIntoView({ block: "nearest" });
    }
  }

  document.addEventListener("click", function (event) {
    const button = event.target.closest && event.target.closest(".cause button[data-act]");
    if (button) act(button);
  });

  // whoever opens the form sees for which time the device has to be assigned
  document.addEventListener("toggle", async function (event) {
    const form = event.target;
    if (!form.matches || !form.matches(".cause-assign") || !form.open || form.dataset.asked) return;
    form.dataset.asked = "yes";
    try {
      const span = await post("span", cause(form));
      const place = form.querySelector("input[list]").id.replace("assign-patient-", "");
      if (span.first) {
        setProps("assign-from-" + place, { value: written(new Date(span.first)) });
        setProps("assign-until-" + place, { value: written(new Date(new Date(span.last).getTime() + 60000)) });
      }
      if (span.users.length) setProps("assign-user-" + place, { value: String(span.users[0]) });
      if (span.users.length > 1) say("These messages are of the device's users " + span.users.join(", ") + "; assign each.");
    } catch (error) {
      say("The time of the messages could not be read: " + error.message);
    }
  }, true);

  document.addEventListener("input", function (event) {
    const box = event.target;
    if (!box.matches || !box.matches(".cause-assign input[list]")) return;
    window.clearTimeout(typing);
    typing = window.setTimeout(function () { suggest(box); }, TYPING_MS);
  });

  async function suggest(box) {
    const search = box.value.trim();
    if (search.length < 2 || /no\. \d+$/.test(search)) return;
    const answer = await fetch("/api/v1/patients?discharged=true&limit=" + FOUND + "&search=" + encodeURIComponent(search));
    if (!answer.ok) return;
    const people = (await answer.json()).items;
    setProps(box.getAttribute("list"), {
      children: people.map(function (p) {
        const name = p.family_name + ", " + p.given_name + " · born " + day(new Date(p.born_on + "T12:00")) + " · " + p.site + " · no. " + p.patient_id;
        return { type: "Option", namespace: "dash_html_components", props: { value: name } };
      }),
    });
  }
})();
