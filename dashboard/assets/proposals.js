// What becomes of words that somebody has written in a box when a page would put its own there, or empty it? They stay:
// it is asked first. The server's side is dashboard/proposals.py.
(function () {
  "use strict";
  const TEXT = "textarea, input, select";
  let asker = null;

  // browsers give one kind of line's end; what was written elsewhere may have another
  function plain(words) {
    return String(words || "").replace(/\r\n?/g, "\n").trim();
  }

  function shown(id) {
    const box = document.getElementById(id);
    return box ? plain(box.value) : "";
  }

  function label(id) {
    const box = document.getElementById(id);
    return box && box.labels && box.labels.length ? box.labels[0].textContent : "";
  }

  function ask(name, boxes, by) {
    const data = document.getElementById(name + "-ask").dataset, keep = document.getElementById(name + "-keep");
    window.homeward.setProps(name + "-asked", { children: data.said.replace("{boxes}", boxes.map(label).join(", ")) });
    window.homeward.setProps(name + "-replace", { children: data.replace.replace("{by}", by) });
    // who is typing goes on typing
    if (document.activeElement && document.activeElement.matches(TEXT)) return;
    asker = document.activeElement;
    window.setTimeout(function () {
      keep.focus({ preventScroll: true });
      keep.parentElement.scrollIntoView({ block: "center" }); // not under the bar
    }, 0);
  }

  function back() {
    if (asker && asker.isConnected) asker.focus();
    asker = null;
  }

  Object.assign(window.dash_clientside.homeward, {
    propose: function (proposed, _keep, _replace, written, whose) {
      const dash = window.dash_clientside, context = dash.callback_context, unchanged = dash.no_update;
      const pressed = context.triggered.map(function (t) { return t.prop_id; }).join(" ");
      const answers = context.outputs_list.map(function () { return unchanged; }), last = answers.length - 1;
      answers[last] = true;
      if (!proposed || (whose !== undefined && proposed.of !== whose)) return answers;
      const ids = Object.keys(proposed.values);
      const mine = ids.filter(function (id) {
        return shown(id) !== plain((written || {})[id]) && shown(id) !== plain(proposed.values[id]);
      });
      const isAnswer = pressed.indexOf(".n_clicks") >= 0;
      if (isAnswer) back();
      if (pressed.indexOf("-keep.n_clicks") >= 0) return answers;
      if (mine.length && !isAnswer) {
        answers[last] = false;
        ask(context.outputs_list[last].id.slice(0, -"-ask".length), mine, proposed.by);
        return answers;
      }
      return context.outputs_list.map(function (output, i) {
        if (i === last) return true;
        if (i === last - 1) return proposed.values;
        return output.id in proposed.values ? proposed.values[output.id] : proposed.more[i - ids.length];
      });
    },
    // the box of a resident may be closed, or another's, by the time of the answer: it is of one resident and of no other
    doneAnswered: function (told, patient, body, drafts) {
      const unchanged = window.dash_clientside.no_update, answers = [unchanged, unchanged, unchanged, unchanged, unchanged];
      if (!told) return answers;
      const isOpen = told.patient === patient, name = told.name + ": ";
      if (told.failed) {
        answers[isOpen ? 3 : 4] = isOpen ? told.failed : name + told.failed;
        if (isOpen) answers[0] = true;
        return answers;
      }
      const rest = Object.assign({}, drafts);
      if (plain(rest[told.patient]) === plain(told.sent)) delete rest[told.patient];
      answers[2] = rest;
      if (isOpen && plain(body) !== plain(told.sent)) {
        answers[3] = told.more;
      } else {
        if (isOpen) answers.splice(0, 2, false, "");
        if (isOpen) answers[3] = "";
        answers[4] = isOpen ? told.said : name + told.said;
      }
      return answers;
    },
    emptied: function (told, box) {
      const unchanged = window.dash_clientside.no_update;
      if (!told) return [unchanged, unchanged];
      return plain(told.sent) === shown(box) ? ["", told.said] : [unchanged, told.more];
    },
  });
})();
