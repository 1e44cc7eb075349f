// How does a set of observations get from a carer's fingers into the database, also where there is no network? The form
// of the page of entry; drafts that are kept in this browser until they have been stored; the word that some have not.
(function () {
  "use strict";
  const DRAFTS = "homeward-drafts", WORDS = "homeward-drafts-words", PREVIEW_MS = 350, AGAIN_MS = 20000, TICK_MS = 200;
  let words = read(WORDS, {}), memory = null, form = null, turn = 0, isSending = false, previewTimer = null;

  // ------------------------------------------------------------------------------------------------- small things

  function el(tag, attributes) {
    const node = document.createElement(tag);
    Object.keys(attributes || {}).forEach(function (name) {
      if (attributes[name] !== null && attributes[name] !== false) node.setAttribute(name, attributes[name]);
    });
    Array.prototype.slice.call(arguments, 2).flat().forEach(function (child) {
      if (child !== null && child !== undefined) node.append(child);
    });
    return node;
  }

  function button(label, act, kind) {
    const node = el("button", { type: "button", class: kind || "entry-answer" }, label);
    node.addEventListener("click", act);
    return node;
  }

  function setProps(id, props) {
    try {
      window.dash_clientside.set_props(id, props);
    } catch (error) {
      // the component is not on this page
    }
  }

  function read(name, otherwise) {
    try {
      return JSON.parse(window.localStorage.getItem(name)) || otherwise;
    } catch (error) {
      return otherwise;
    }
  }

  function newKey() {
    const bytes = window.crypto.getRandomValues(new Uint8Array(16));
    return Array.from(bytes, function (b) { return b.toString(16).padStart(2, "0"); }).join("");
  }

  // ------------------------------------------------------------------------------------------------------- drafts
  // A draft holds a patient's number, an account's number, the instant and what was entered: no name, no NHS number.

  function drafts() {
    return memory === null ? read(DRAFTS, []) : memory;
  }

  function keep(list) {
    try {
      if (list.length) window.localStorage.setItem(DRAFTS, JSON.stringify(list));
      else window.localStorage.removeItem(DRAFTS);
      memory = null;
    } catch (error) {
      memory = list; // storage is forbidden or full
    }
    tell();
  }

  function change(key, made) {
    keep(drafts().map(function (d) { return d.key === key ? Object.assign({}, d, made) : d; }));
  }

  function forget(key) {
    keep(drafts().filter(function (d) { return d.key !== key; }));
  }

  function tell(mine) {
    const list = drafts();
    let box = document.getElementById("drafts");
    if (!list.length) {
      if (box) box.remove();
      return;
    }
    if (!box) {
      box = el("aside", { id: "drafts", class: "drafts", "aria-label": words.draft_many });
      document.body.append(box);
    }
    const theirs = mine === undefined ? [] : list.filter(function (d) { return d.account !== mine; });
    const said = list.length + " " + (list.length === 1 ? words.draft_one : words.draft_many);
    const parts = [el("strong", { role: "status" }, said)];
    if (theirs.length) parts.push(el("span", {}, theirs.length + " " + words.theirs));
    if (memory !== null) parts.push(el("span", {}, words.unsafe));
    list.filter(function (d) { return d.why; }).forEach(function (d) {
      parts.push(el("span", { class: "drafts-why" }, words.refused + ": " + d.why, button(words.discard, function () {
        if (window.confirm(words.discard_sure)) forget(d.key);
      })));
    });
    parts.push(button(words.send, function () { sendAll(true); }));
    box.replaceChildren.apply(box, parts);
  }

  function post(path, content) {
    return fetch(path, {
      method: "POST", headers: { "Content-Type": "application/json", Accept: "application/json" },
      body: JSON.stringify(content),
    });
  }

  // the instant and the key were fixed when the set was saved: sent twice it is stored once
  async function send(draft) {
    if (!draft.receipt) {
      const answer = await post("/api/v1/observations?patient=" + draft.patient, draft.set);
      const told = await answer.json().catch(function () { return {}; });
      if (!answer.ok && !(answer.status === 422 && "quarantined" in told)) return refuse(draft, answer.status, told);
      draft.receipt = told;
      change(draft.key, { receipt: told, why: null });
    }
    if (draft.remark) {
      const noted = await post("/api/v1/patients/" + draft.patient + "/notes", { body: draft.remark, key: draft.key });
      if (!noted.ok) return refuse(draft, noted.status, await noted.json().catch(function () { return {}; }));
    }
    forget(draft.key);
    if (form && form.patient === draft.patient) {
      turn += 1;
      setProps("observe-saved", { data: { receipt: draft.receipt, values: draft.set.values, turn: turn } });
      say(form.words.saved);
    }
  }

  function refuse(draft, status, told) {
    // who is signed out, throttled or early tries again by themselves; the rest needs a look by somebody
    const passes = status === 401 || status === 429 || status >= 500;
    change(draft.key, { why: passes ? null : told.detail || String(status) });
    if (form && form.patient === draft.patient) say(passes ? words.waits : words.refused + ": " + told.detail);
  }

  async function sendAll(again) {
    if (isSending || !drafts().length) return;
    isSending = true;
    try {
      const answer = await fetch("/api/v1/me", { headers: { Accept: "application/json" } });
      if (!answer.ok) return;
      const mine = (await answer.json()).account_id;
      tell(mine);
      for (const draft of drafts()) {
        if (draft.account === mine && (again || !draft.why)) await send(draft);
      }
      tell(mine);
    } catch (error) {
      tell(); // no connection: they stay
    } finally {
      isSending = false;
    }
  }

  // ------------------------------------------------------------------------------------------------------- fields

  function say(sentence) {
    const node = document.getElementById("observe-preview");
    if (node && sentence) setProps("observe-preview", { children: sentence });
  }

  function number(text) {
    const plain = text.trim().replace(",", ".");
    return /^\d{1,4}(\.\d{1,3})?$/.test(plain) ? Number(plain) : NaN;
  }

  function written(value, decimals) {
    return value.toFixed(decimals);
  }

  // what was perhaps meant: a point forgotten or too many, or degrees Fahrenheit
  function meant(name, value, field) {
    const tries = [value / 10, value * 10, value / 100];
    if (name === "temperature") tries.push((value - 32) / 1.8);
    const found = tries.filter(function (v) { return v >= field.low && v <= field.high; })
      .map(function (v) { return written(v, field.decimals); });
    return Array.from(new Set(found)).slice(0, 2);
  }

  function makeField(name) {
    const field = form.fields[name], w = form.words;
    const input = el("input", {
      id: "observe-" + name, type: "text", inputmode: field.decimals ? "decimal" : "numeric", autocomplete: "off",
      enterkeyhint: "next", maxlength: 7, class: "entry-input", "aria-describedby": "observe-ask-" + name,
    });
    const question = el("div", { id: "observe-ask-" + name, class: "entry-ask", role: "alert" });
    const made = { name: name, input: input, kept: null };
    made.value = function () { return input.value.trim() === "" ? null : number(input.value); };
    made.set = function (text) { input.value = text; made.check(); changed(); };
    made.check = function () {
      // a question that stands is left standing: leaving the field for its answer must not take the answer away
      if (question.childNodes.length && question.dataset.about === input.value && made.kept !== input.value) return false;
      question.replaceChildren();
      question.dataset.about = input.value;
      const value = made.value();
      if (value === null || made.kept === input.value) return true;
      if (Number.isNaN(value)) {
        question.append(el("p", {}, "“" + input.value.trim() + "” " + w.not_a_number + "."));
        return false;
      }
      if (value >= field.low && value <= field.high) return true;
      const options = meant(name, value, field), entered = input.value.trim();
      const asked = options.length ? options.concat(entered).join(" " + w.or + " ") + "? " : "";
      question.append(el("p", {}, asked + w.outside + " " + entered + "."), el("div", { class: "entry-answers" },
        options.map(function (text) { return button(text, function () { made.set(text); }); }),
        button(entered + ": " + w.keep, function () { made.kept = input.value; made.check(); changed(); }),
        button(w.change, function () { input.select(); input.focus(); })));
      return false;
    };
    input.addEventListener("input", function () { if (question.childNodes.length) made.check(); changed(); });
    input.addEventListener("blur", made.check);
    input.addEventListener("keydown", function (event) { if (event.key === "Enter") onward(input); });
    made.node = el("div", { class: "entry-field" }, el("label", { for: input.id }, field.label),
      el("div", { class: "entry-number" }, input, el("span", { class: "entry-unit" }, field.unit)), question);
    return made;
  }

  function onward(input) {
    const all = Array.from(document.querySelectorAll("#observe-form .entry-input"));
    const next = all[all.indexOf(input) + 1];
    if (next) next.focus(); else input.blur();
  }

  // one of several, and none again by a second tap: what was not observed must not be forced
  function choice(name, legend, options) {
    const made = { name: name };
    const radios = options.map(function (option) {
      const radio = el("input", { type: "radio", name: "observe-" + name, value: option.value, id: "observe-" + name + "-" + option.value });
      radio.addEventListener("click", function () {
        if (radio.dataset.was) radio.checked = false;
        radios.forEach(function (r) { delete r.dataset.was; });
        if (radio.checked) radio.dataset.was = "1";
        changed();
        if (made.onChange) made.onChange();
      });
      return radio;
    });
    made.value = function () {
      const chosen = radios.find(function (r) { return r.checked; });
      return chosen ? Number(chosen.value) : null;
    };
    made.set = function (value) {
      const radio = radios.find(function (r) { return Number(r.value) === value; });
      if (!radio.checked) radio.click();
    };
    made.node = el("fieldset", { class: "entry-choice" }, el("legend", {}, legend), el("div", { class: "entry-options" },
      radios.map(function (radio, i) {
        return el("label", { class: "entry-option", for: radio.id }, radio, el("span", {}, options[i].label));
      })));
    return made;
  }

  function counter(field) {
    const w = form.words, box = el("div", { class: "entry-counter" });
    let timer = null;
    function start(seconds) {
      let taps = 0;
      const until = Date.now() + seconds * 1000;
      const left = el("span", { class: "entry-left" }), big = button(w.tap, function () {
        taps += 1;
        number_.textContent = String(taps);
      }, "entry-tap"), number_ = el("strong", {}, "0");
      big.append(number_, left);
      box.replaceChildren(big);
      big.focus();
      window.clearInterval(timer);
      function tick() {
        const rest = Math.ceil((until - Date.now()) / 1000);
        left.textContent = Math.max(0, rest) + " " + w.left;
        if (rest > 0 && document.contains(box)) return;
        window.clearInterval(timer);
        field.set(String(Math.round(taps * 60 / seconds)));
        box.replaceChildren(el("p", { role: "status" }, taps + " " + w.counted + ", " + seconds + " " + w.seconds + "."),
          button(w.again, offer));
      }
      tick();
      timer = window.setInterval(tick, TICK_MS);
    }
    function offer() {
      box.replaceChildren(el("span", {}, w.count), ...[30, 60].map(function (seconds) {
        return button(seconds + " " + w.seconds, function () { start(seconds); });
      }));
    }
    offer();
    return box;
  }

  function signs() {
    const w = form.words, boxes = form.signs.map(function (text, i) {
      return { text: text, input: el("input", { type: "checkbox", id: "observe-sign-" + i }) };
    });
    const remark = el("textarea", { id: "observe-remark", rows: 2, maxlength: 1500, class: "entry-remark" });
    const list = el("fieldset", { class: "entry-signs", hidden: "" }, el("legend", {}, w.what_changed), boxes.map(function (b) {
      b.input.addEventListener("change", changed);
      return el("label", { class: "entry-option", for: b.input.id }, b.input, el("span", {}, b.text));
    }));
    const themselves = choice("soft_signs", w.themselves, [{ value: 0, label: w.yes }, { value: 1, label: w.no }]);
    themselves.onChange = function () { list.hidden = themselves.value() !== 1; };
    themselves.remark = function () {
      const seen = themselves.value() === 1 ? boxes.filter(function (b) { return b.input.checked; }) : [];
      const listed = seen.map(function (b) { return b.text; }).join("; ");
      return [listed ? w.no + ": " + listed + "." : "", remark.value.trim()].filter(Boolean).join(" ");
    };
    themselves.doubtsAwareness = function () {
      return themselves.value() === 1 && form.awareness_signs.some(function (i) { return boxes[i].input.checked; });
    };
    themselves.part = el("section", { class: "card entry-part wide", id: "signs" }, themselves.node, list,
      el("label", { for: "observe-remark" }, w.remark), remark);
    return themselves;
  }

  // -------------------------------------------------------------------------------------------------------- the form

  function part(title, wide) {
    return el("section", { class: "card entry-part" + (wide ? " wide" : "") }, title ? el("h2", {}, title) : null,
      Array.prototype.slice.call(arguments, 2).flat());
  }

  function build(root) {
    form = JSON.parse(root.dataset.form);
    words = form.words;
    try {
      window.localStorage.setItem(WORDS, JSON.stringify(words));
    } catch (error) {
      // storage is forbidden; the page still sends what it has
    }
    const w = form.words, fields = {};
    Object.keys(form.fields).forEach(function (name) { fields[name] = makeField(name); });
    const oxygen = choice("on_oxygen", w.breathes, [{ value: 0, label: w.air }, { value: 1, label: w.on_oxygen }]);
    const awake = choice("consciousness", w.consciousness, form.letters.map(function (letter, i) {
      return { value: i, label: letter + "  " + w.letters[i] };
    }));
    const themselves = signs();
    const crossed = el("div", { class: "entry-ask", role: "alert" });
    const unclear = el("div", { class: "entry-ask", role: "alert" });
    form.made = { fields: fields, choices: [oxygen, awake, themselves], themselves: themselves, crossed: crossed,
      awake: awake, unclear: unclear };
    awake.onChange = function () { if (unclear.childNodes.length) awareness(); };
    fields.respiration_rate.node.querySelector("label").textContent = w.breaths;
    root.replaceChildren(
      themselves.part,
      part(w.breathing, false, fields.respiration_rate.node, counter(fields.respiration_rate)),
      part(w.oxygen, false, fields.spo2.node, oxygen.node),
      part(w.pressure, false, el("div", { class: "entry-pair" }, fields.bp_systolic.node, fields.bp_diastolic.node), crossed),
      part("", false, el("div", { class: "entry-pair" }, fields.pulse.node, fields.temperature.node)),
      part("", true, unclear, awake.node));
    fields.bp_diastolic.input.addEventListener("blur", pressures);
    root.dataset.ready = "1";
    if (window.location.hash === "#signs") themselves.part.scrollIntoView();
  }

  function pressures() {
    const w = form.words, made = form.made, upper = made.fields.bp_systolic, lower = made.fields.bp_diastolic;
    const pair = upper.value() + " / " + lower.value();
    if (made.crossed.childNodes.length && made.crossed.dataset.about === pair && made.crossedKept !== pair) return false;
    made.crossed.replaceChildren();
    made.crossed.dataset.about = pair;
    if (upper.value() === null || lower.value() === null || !(upper.value() <= lower.value())) return true;
    if (made.crossedKept === pair) return true;
    made.crossed.append(el("p", {}, w.crossed + " " + pair + "."), el("div", { class: "entry-answers" },
      button(w.swap, function () {
        const first = upper.input.value;
        upper.set(lower.input.value);
        lower.set(first);
        pressures();
      }),
      button(w.keep, function () { made.crossedKept = pair; pressures(); }),
      button(w.change, function () { upper.input.focus(); })));
    return false;
  }

  // an "alert" from before must not stand for somebody who is sleepier or more confused now
  function awareness() {
    const w = form.words, made = form.made;
    made.unclear.replaceChildren();
    if (!made.themselves.doubtsAwareness() || made.awake.value() !== null || made.cannotTell) return true;
    made.unclear.append(el("p", {}, w.unclear), el("div", { class: "entry-answers" },
      button(w.confused, function () { made.awake.set(form.letters.indexOf("C")); }),
      button(w.alert, function () { made.awake.set(form.letters.indexOf("A")); }),
      button(w.cannot_tell, function () { made.cannotTell = true; awareness(); })));
    return false;
  }

  function values() {
    const found = {};
    Object.keys(form.made.fields).forEach(function (name) {
      const value = form.made.fields[name].value();
      if (value !== null && !Number.isNaN(value)) found[name] = value;
    });
    form.made.choices.forEach(function (c) { if (c.value() !== null) found[c.name] = c.value(); });
    return found;
  }

  function changed() {
    window.clearTimeout(previewTimer);
    previewTimer = window.setTimeout(function () {
      if (!form || !navigator.onLine) return;
      turn += 1;
      setProps("observe-values", { data: { values: values(), turn: turn } });
    }, PREVIEW_MS);
  }

  function save() {
    const made = form.made, w = form.words;
    const asked = Object.keys(made.fields).filter(function (name) { return !made.fields[name].check(); });
    if (!pressures() || asked.length) {
      say(w.answer_first);
      made.fields[asked[0] || "bp_systolic"].input.focus();
      return;
    }
    if (!awareness()) {
      say(w.answer_first);
      made.unclear.querySelector("button").focus({ preventScroll: true });
      made.unclear.scrollIntoView({ block: "center" }); // not under the bar
      return;
    }
    const found = values(), remark = made.themselves.remark();
    if (!Object.keys(found).length) return say(w.nothing);
    window.clearTimeout(previewTimer);
    const key = newKey();
    keep(drafts().concat({
      key: key, patient: form.patient, account: form.account, remark: remark,
      set: { id: key, time: new Date().toISOString(), values: found },
    }));
    build(document.getElementById("observe-form"));
    setProps("observe-result", { children: null }); // what the set before meant is no answer to this one
    say(navigator.onLine ? w.saving : w.waits);
    sendAll(true).then(function () { if (drafts().some(function (d) { return d.key === key && !d.why; })) say(w.waits); });
    window.scrollTo(0, 0);
  }

  // ------------------------------------------------------------------------------------------------------- wiring

  function watch() {
    const root = document.getElementById("observe-form");
    if (root && !root.dataset.ready) build(root);
    if (!root) form = null;
    const told = document.getElementById("observe-told");
    const page = document.querySelector(".entry-page");
    if (page && !told) delete page.dataset.told;
    if (told && !told.dataset.seen) {
      told.dataset.seen = "1";
      // what to do comes first; who has begun another set meanwhile goes on with it
      if (page && form && !Object.keys(values()).length && !form.made.themselves.remark()) page.dataset.told = "1";
      told.focus();
    }
  }

  document.addEventListener("click", function (event) {
    if (!form) return;
    if (event.target.closest("#observe-save")) save();
    if (event.target.closest("#observe-another")) {
      delete document.querySelector(".entry-page").dataset.told;
      setProps("observe-saved", { data: null });
      document.querySelector("#observe-form input").focus();
    }
  });
  new MutationObserver(watch).observe(document.documentElement, { childList: true, subtree: true });
  window.addEventListener("load", function () { tell(); sendAll(false); });
  window.addEventListener("online", function () { sendAll(false); });
  window.addEventListener("storage", function (event) { if (event.key === DRAFTS) tell(); });
  window.setInterval(function () { if (navigator.onLine) sendAll(false); }, AGAIN_MS);
})();
