// How is each cell of the triage list drawn? Small components over the values that dashboard/rows.py prepared.
(function () {
  "use strict";
  const components = (window.dashAgGridComponentFunctions = window.dashAgGridComponentFunctions || {});
  const MINUTE = 60, HOUR = 3600, DAY = 86400;
  // what is on its way to the server: a row shows it until the next data arrive
  const underway = new Set();

  function el() {
    return window.React.createElement.apply(null, arguments);
  }

  function elapsed(ms) {
    const s = Math.max(0, Math.floor(ms / 1000));
    if (s < HOUR) return Math.floor(s / MINUTE) + " min";
    if (s < DAY) {
      const m = Math.floor((s % HOUR) / MINUTE);
      return Math.floor(s / HOUR) + " h" + (m ? " " + m + " min" : "");
    }
    const h = Math.floor((s % DAY) / HOUR);
    return Math.floor(s / DAY) + " d" + (h ? " " + h + " h" : "");
  }

  function waitingRow() {
    return el("div", { className: "bar", "aria-hidden": true });
  }

  function badge(row) {
    return el("span", { className: "badge level-" + row.level },
      el("span", { className: "icon icon-level-" + row.level, "aria-hidden": true }), row.word);
  }

  function severity(props) {
    if (!props.data) return waitingRow();
    return props.data.level ? badge(props.data) : el("span", { className: "cell-none" }, "–");
  }

  function who(row) {
    return el("div", { className: "cell-two" },
      el("a", { className: "cell-name", href: "/patients/" + row.id, tabIndex: -1 }, row.name),
      el("span", { className: "cell-place", title: row.nhs }, row.place));
  }

  function patient(props) {
    return props.data ? who(props.data) : waitingRow();
  }

  function reason(props) {
    const row = props.data;
    if (!row) return waitingRow();
    if (!row.reason) return el("span", { className: "cell-none" }, row.word);
    return el("div", { className: "cell-reason", title: row.title }, reasonOf(row));
  }

  // what raised it, how it is now, and what else is open: each has a line of its own, so that none hides another
  function reasonOf(row) {
    return [el("span", { key: "why", className: "cell-why" }, row.reason),
      row.now ? el("span", { key: "now", className: "cell-now" }, row.now) : null,
      row.also ? el("span", { key: "also", className: "cell-also" }, row.also) : null];
  }

  function scoreOf(cell) {
    if (!cell) return el("span", { className: "cell-none" }, "–");
    const names = ["cell-score", "level-" + cell.level];
    if (cell.level) names.push("beyond");
    if (!cell.complete) names.push("range");
    return el("span", { className: names.join(" "), title: cell.title }, cell.text,
      cell.complete ? null : el("span", { className: "visually-hidden" }, cell.title));
  }

  function score(props) {
    return props.data ? scoreOf(props.data.news2) : null;
  }

  function valueOf(cell, stale) {
    if (!cell) return el("span", { className: "cell-none" }, "–");
    const names = ["cell-number", "level-" + cell.level];
    if (cell.level) names.push("beyond");
    if (cell.stale) names.push("stale");
    const past = Date.now() - cell.at;
    const title = (past < 60000 ? "just now" : elapsed(past) + " ago") + (cell.stale ? ", " + stale : "");
    return el("span", { className: names.join(" "), title: title }, cell.text);
  }

  function value(props) {
    return props.data ? valueOf(props.data[props.colDef.colId], props.stale) : null;
  }

  function trendOf(trend) {
    if (!trend) return el("span", { className: "cell-none" }, "–");
    const low = Math.min.apply(null, trend.y), high = Math.max.apply(null, trend.y);
    // a flat line is drawn flat: at least six steps of the vital sign fill the height
    const reach = Math.max(high - low, 6 * trend.step), middle = (high + low) / 2;
    const px = (x) => (2 + 96 * x).toFixed(1), py = (y) => (15 - (24 * (y - middle)) / reach).toFixed(1);
    let path = "";
    trend.x.forEach(function (x, i) {
      const bridged = i > 0 && x - trend.x[i - 1] < 0.36;
      path += (bridged ? "L" : "M") + px(x) + " " + py(trend.y[i]);
    });
    const last = trend.x.length - 1;
    return el("div", { className: "trend-box", title: trend.title },
      el("span", { className: "trend-label" }, trend.label),
      el("svg", { className: "trend level-" + trend.level + (trend.level ? " beyond" : ""), viewBox: "0 0 100 30",
        preserveAspectRatio: "none", role: "img", "aria-label": trend.title },
      el("path", { d: path, vectorEffect: "non-scaling-stroke" }),
      // a dot that is not stretched with the line: a stroke of no length
      el("path", { d: "M" + px(trend.x[last]) + " " + py(trend.y[last]) + "h0.01", className: "trend-end",
        vectorEffect: "non-scaling-stroke" })));
  }

  function trend(props) {
    return props.data ? trendOf(props.data.trend) : null;
  }

  function since(props) {
    if (!props.data || props.data.since === null) return null;
    return el("span", { className: "cell-number" }, elapsed(Date.now() - props.data.since));
  }

  function ownerOf(props) {
    const row = props.data;
    if (row.waiting.length && props.allowed) {
      const busy = underway.has(row.waiting.join(","));
      return el("button", {
        type: "button", className: "acknowledge", disabled: busy, tabIndex: -1, "data-act": "acknowledge",
        "data-episodes": row.waiting.join(","), "data-patient": row.id, "aria-label": props.acknowledge + ": " + row.name,
      }, busy ? props.acknowledging : props.acknowledge);
    }
    if (row.snoozed && !row.owner) {
      return el("div", { className: "cell-taken" }, el("span", { className: "icon icon-clock", "aria-hidden": true }),
        el("div", { className: "cell-two" }, el("span", null, props.snoozed), el("span", { className: "cell-place" }, row.snoozed)));
    }
    if (!row.owner) return null;
    return el("div", { className: "cell-taken" }, el("span", { className: "icon icon-check", "aria-hidden": true }),
      el("div", { className: "cell-two", title: props.acknowledged + ": " + row.owner.name + ", " + row.owner.at },
        el("span", null, row.owner.name), el("span", { className: "cell-place" }, row.owner.at)));
  }

  function pickOf(props) {
    const row = props.data;
    if (!row || !row.episodes.length) return null;
    return el("input", { type: "checkbox", className: "pick", tabIndex: -1, "data-pick": row.id, readOnly: true,
      checked: Boolean(window.homewardPicked && window.homewardPicked.has(row.id)),
      "aria-label": props.select + ": " + row.name });
  }

  function owner(props) {
    return props.data ? ownerOf(props) : null;
  }

  // a whole row in one cell, where the screen is narrow
  function tile(props) {
    const row = props.data;
    if (!row) return waitingRow();
    const names = props.names || {};
    const shown = Object.keys(names).filter((n) => row[n]).map((n) =>
      el("span", { key: n }, names[n] + " ", valueOf(row[n], props.stale)));
    return el("div", { className: "tile" },
      el("div", { className: "tile-top" }, props.allowed ? pickOf(props) : null, who(row), row.level ? badge(row) : null),
      row.reason ? el("div", { className: "cell-reason" }, reasonOf(row)) : null,
      el("div", { className: "tile-values" },
        row.news2 ? el("span", { key: "news2" }, "NEWS2 ", scoreOf(row.news2)) : null, shown),
      row.since === null ? null : el("div", { className: "tile-foot" },
        el("span", { className: "cell-place" }, elapsed(Date.now() - row.since)), ownerOf(props)));
  }

  function link(props) {
    return props.data.href ? el("a", { className: "inside", href: props.data.href }, props.value)
      : el("span", null, props.value);
  }

  function state(props) {
    const kind = props.data.state_kind;
    return el("span", { className: "state" + (kind ? " state-" + kind : "") }, props.value);
  }

  Object.assign(components, {
    HwLink: link, HwState: state,
    HwSeverity: severity, HwPatient: patient, HwReason: reason, HwScore: score, HwValue: value, HwTrend: trend,
    HwSince: since, HwOwner: owner, HwPick: pickOf, HwTile: tile,
  });
  window.homewardUnderway = underway;
})();
