// How does the triage list behave under hands and changes? It asks again without moving rows under a pointer, keeps the
// focus on the same patient, takes a narrow form where there is little room, and is one filter with the cards.
(function () {
  "use strict";
  const hw = window.homeward, asks = hw.asks, has = hw.has;
  const SPACING_MS = 600, HELD_MS = 4000, TICK_MS = 20000, GUARD_MS = 800, GRID = "triage-grid";
  // each form and the width from which it is taken, in pixels, with the columns that it leaves out
  const NUMBERS = ["respiration_rate", "spo2", "bp_systolic", "pulse", "temperature"];
  const FORMS = [["wide", 1180, []], ["medium", 1000, ["trend"]], ["tight", 800, ["trend"].concat(NUMBERS)],
    ["slim", 620, ["trend", "since"].concat(NUMBERS)], ["tile", 0, null]];
  let refreshTimer = null, lastRefresh = 0, heldSince = 0, focused = null, isInList = false;
  let pointer = null, isPressed = false, guardUntil = 0, rowUnder = null;
  const watchers = [];

  function grid() {
    return hw.grid(GRID);
  }

  // ------------------------------------------------------------------------------------------- asking again

  hw.onChanged(function (named, episodes, sites) {
    if (!has(GRID) || !concerns(named, sites)) return;
    if (episodes || named === null) asks.wantNumbers();
    if (named === null || episodes || named.some(isLoaded)) plan();
  });

  // a list of one site is not changed by what happens at the others, unless somebody in it has just gone there
  function concerns(named, sites) {
    const site = asks.site();
    return site === null || named === null || sites === null || sites.indexOf(site) >= 0 || named.some(isLoaded);
  }

  function isLoaded(patient) {
    const api = grid();
    return api !== null && api.getRowNode(String(patient)) !== undefined;
  }

  function plan() {
    if (refreshTimer !== null) return;
    const wait = Math.max(0, lastRefresh + SPACING_MS - Date.now());
    refreshTimer = window.setTimeout(refresh, wait);
  }

  function refresh() {
    refreshTimer = null;
    const api = grid();
    if (!api) return;
    // a page that nobody sees asks for its rows when it is seen again
    if (document.hidden) return asks.askNews();
    // rows must not move under a finger that is about to press
    if (isPressed || document.querySelector("#" + GRID + " :is(button, input):hover:not([disabled])")) {
      heldSince = heldSince || Date.now();
      if (Date.now() - heldSince < HELD_MS) {
        asks.askNews();
        refreshTimer = window.setTimeout(refresh, 250);
        return;
      }
    }
    heldSince = 0;
    lastRefresh = Date.now();
    rowUnder = rowAtPointer();
    api.refreshInfiniteCache();
  }

  function refreshNow() {
    asks.wantNumbers();
    const api = grid();
    if (api) api.refreshInfiniteCache();
  }

  function rowAtPointer() {
    const found = pointer && document.elementFromPoint(pointer.x, pointer.y);
    const row = found && found.closest("#" + GRID + " .ag-row");
    return row ? row.getAttribute("row-id") : null;
  }

  // where another row has come to lie under the resting pointer, the next press is not yet meant for it
  function guard() {
    if (rowUnder !== null && rowAtPointer() !== rowUnder) guardUntil = Date.now() + GUARD_MS;
    rowUnder = null;
  }

  // --------------------------------------------------------------------------------------------- the focus

  function remember(event) {
    const node = event.api.getDisplayedRowAtIndex(event.rowIndex);
    focused = node && node.data ? node.data.id : focused;
  }

  // after an update the same patient keeps the focus, wherever the row has gone
  function follow(api) {
    if (focused === null || !isInList) return;
    const active = document.activeElement;
    if (active && active !== document.body && !active.closest("#" + GRID)) return;
    const node = api.getRowNode(String(focused)), cell = api.getFocusedCell();
    if (!node || node.rowIndex === null) return;
    if (!cell || node.rowIndex !== cell.rowIndex || active === document.body) {
      api.setFocusedCell(node.rowIndex, cell ? cell.column : firstColumn(api));
    }
  }

  function firstColumn(api) {
    return api.getAllDisplayedColumns()[0];
  }

  function move(step) {
    const api = grid();
    if (!api) return;
    const cell = api.getFocusedCell();
    const last = api.getDisplayedRowCount() - 1;
    if (last < 0) return;
    const row = cell ? Math.min(last, Math.max(0, cell.rowIndex + step)) : 0;
    api.ensureIndexVisible(row);
    api.setFocusedCell(row, firstColumn(api));
  }

  function focusedNode() {
    const api = grid(), cell = api && api.getFocusedCell();
    return cell ? api.getDisplayedRowAtIndex(cell.rowIndex) : null;
  }

  function focusedPatient() {
    const node = focusedNode();
    // while an update is on its way the row may be empty for a moment; who had the focus is known
    return node && node.data ? node.data.id : isInList ? focused : null;
  }

  function show(patient) {
    const api = grid(), node = api && api.getRowNode(String(patient));
    if (!api) return;
    const row = node && node.rowIndex !== null ? node.rowIndex : 0;
    api.ensureIndexVisible(row, "top");
    api.setFocusedCell(row, firstColumn(api));
  }

  function onFocus(event) {
    const inside = event.target.closest && event.target.closest("#" + GRID) !== null;
    // an update may take the focused cell away: that is no one's wish to leave the list
    if (inside || event.target !== document.body) isInList = inside;
  }

  // ------------------------------------------------------------------------------------------ narrow screens

  function fit(api) {
    const box = document.getElementById(GRID);
    if (!box) return;
    const width = box.getBoundingClientRect().width;
    const taken = FORMS.find(function (f) { return width >= f[1]; }), form = taken[0];
    if (box.dataset.form === form) return;
    box.dataset.form = form;
    const all = api.getColumns().map(function (c) { return c.getColId(); });
    const shown = form === "tile" ? ["tile"] : all.filter(function (id) {
      return id !== "tile" && taken[2].indexOf(id) < 0;
    });
    api.setColumnsVisible(all.filter(function (id) { return shown.indexOf(id) < 0; }), false);
    api.setColumnsVisible(shown, true);
    api.setGridOption("headerHeight", form === "tile" ? 0 : 38);
    api.setGridOption("rowHeight", form === "tile" ? 212 : 86);
    // a user changes columns by nothing else, so what is visible fills the width
    api.sizeColumnsToFit();
  }

  function watchGrid() {
    const api = grid();
    // before the grid knows whom to ask for rows, a new height of them is an error of its own
    if (!api || api.homewardWatched || !api.getGridOption("datasource")) return;
    api.homewardWatched = true;
    api.addEventListener("cellFocused", function (event) {
      remember(event);
      watchers.forEach(function (w) { if (w.focus) w.focus(focused); });
    });
    api.addEventListener("modelUpdated", function () {
      if (window.homewardUnderway) window.homewardUnderway.clear();
      guard();
      follow(api);
      watchers.forEach(function (w) { if (w.drawn) w.drawn(api); });
    });
    api.addEventListener("gridSizeChanged", function () { fit(api); });
    fit(api);
  }

  function tick() {
    const api = grid();
    if (api) api.refreshCells({ columns: ["since", "tile"], force: true });
  }

  // ------------------------------------------------------------------------------- functions of the callbacks

  Object.assign(window.dash_clientside.homeward, {
    // one choice of patients, whether made on a card, on the control or by the keyboard
    view: function (_cards, segment, site, search, pathway, owner, view) {
      const context = window.dash_clientside.callback_context, now = Object.assign({}, view);
      const first = context.triggered[0] || { prop_id: "" };
      if (first.prop_id.indexOf("card") >= 0) {
        if (!first.value) return window.dash_clientside.no_update;
        const pressed = JSON.parse(first.prop_id.slice(0, first.prop_id.lastIndexOf("."))).filter;
        now.filter = view.filter === pressed ? "all" : pressed;
      } else if (first.prop_id === "triage-segment.value" && segment) {
        now.filter = segment;
      }
      now.site = site || "";
      now.search = search || "";
      now.pathway = pathway || "";
      now.owner = owner || "anyone";
      return JSON.stringify(now) === JSON.stringify(view) ? window.dash_clientside.no_update : now;
    },
    showView: function (view, segments, cards) {
      const api = grid();
      asks.wantNumbers();
      if (api) {
        api.ensureIndexVisible(0);
        api.purgeInfiniteCache();
      }
      return [segments.indexOf(view.filter) >= 0 ? view.filter : "",
        cards.map(function (c) { return String(c.filter === view.filter); })];
    },
  });

  function setPressed(event) { isPressed = event.type === "pointerdown"; }
  document.addEventListener("pointermove", function (event) { pointer = { x: event.clientX, y: event.clientY }; }, { passive: true });
  document.addEventListener("pointerdown", setPressed, true);
  document.addEventListener("pointerup", setPressed, true);
  document.addEventListener("pointercancel", setPressed, true);
  document.addEventListener("focusin", onFocus);
  document.addEventListener("visibilitychange", function () { if (!document.hidden && has(GRID)) { asks.wantNumbers(); plan(); } });
  window.setInterval(watchGrid, 300);
  window.setInterval(tick, TICK_MS);
  hw.list = {
    id: GRID, grid: grid, move: move, show: show, refreshNow: refreshNow, again: plan, focusedNode: focusedNode,
    focusedPatient: focusedPatient, isInList: function () { return isInList; },
    isGuarded: function () { return Date.now() < guardUntil; }, watch: function (w) { watchers.push(w); },
  };
})();
