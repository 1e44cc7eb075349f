// How does an open page stay true? It hears of changes over the WebSocket /live and asks again for what it shows; where
// no heartbeat comes it says so. Also: the keys of the triage list, its narrow form, and the navigation's small acts.
(function () {
  "use strict";
  // charts need only lines: the small build, fetched when the first chart is drawn
  Object.defineProperty(window, "_dashPlotlyJSURL", {
    get: function () { return "/assets/plotly-basic.min.js?m=4.1.1"; },
    set: function () {},
  });

  const SILENCE_MS = 25000, LONGEST_WAIT_MS = 15000, SPACING_MS = 600, HELD_MS = 4000, TICK_MS = 20000;
  const GRID = "triage-grid", NARROW_PX = 620, TIGHT_PX = 980;
  let socket = null, failures = 0, lastHeard = 0, silence = null, refreshTimer = null, lastRefresh = 0, heldSince = 0;
  let counts = 0, patients = 0, focused = null, isInList = false, wantsCounts = false, isLeaving = false;

  function setProps(id, props) {
    try {
      window.dash_clientside.set_props(id, props);
    } catch (error) {
      // the component is not on this page
    }
  }

  function has(id) {
    return document.getElementById(id) !== null;
  }

  function grid() {
    if (!has(GRID) || !window.dash_ag_grid) return null;
    try {
      const api = window.dash_ag_grid.getApi(GRID);
      return api && !api.isDestroyed() ? api : null;
    } catch (error) {
      return null;
    }
  }

  // ------------------------------------------------------------------------------------------------ live or not

  function say(isLive) {
    const node = document.getElementById("live");
    if (!node) return;
    const name = isLive ? "live live-on" : "live live-off";
    if (isLive && node.className === name) return;
    const at = new Date(lastHeard || Date.now()).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
    const words = isLive ? node.dataset.live : node.dataset.lost + " " + at;
    setProps("live", {
      className: name,
      children: { type: "Span", namespace: "dash_html_components", props: { children: words, className: "live-word" } },
    });
    if (isLive) node.setAttribute("aria-label", words); else node.removeAttribute("aria-label");
  }

  function heard() {
    lastHeard = Date.now();
    failures = 0;
    say(true);
    window.clearTimeout(silence);
    silence = window.setTimeout(function () {
      say(false);
      if (socket) socket.close();
    }, SILENCE_MS);
  }

  function open() {
    if (socket || isLeaving) return;
    const scheme = window.location.protocol === "https:" ? "wss://" : "ws://";
    socket = new WebSocket(scheme + window.location.host + "/live");
    socket.onopen = function () {
      heard();
      changed(null, true); // whatever happened meanwhile
    };
    socket.onmessage = function (event) {
      heard();
      const message = JSON.parse(event.data);
      if (message.type === "signed_out") return signIn();
      if (message.type === "changed") changed(message.patients, message.episodes);
    };
    socket.onclose = function () {
      socket = null;
      window.clearTimeout(silence);
      if (lastHeard || failures > 0) say(false);
      failures += 1;
      const wait = Math.min(LONGEST_WAIT_MS, 400 * Math.pow(2, Math.min(failures, 6)));
      window.setTimeout(again, wait * (0.5 + Math.random() / 2));
    };
  }

  // a refused handshake tells scripts nothing, so a route is asked whether the session still stands
  function again() {
    fetch("/api/v1/me", { headers: { Accept: "application/json" } }).then(function (answer) {
      if (answer.status === 401) signIn(); else open();
    }, open);
  }

  // the push and the answer to signing out both say it: one of them is enough
  function signIn() {
    if (isLeaving) return;
    isLeaving = true;
    window.location.assign("/sign-in?next=" + encodeURIComponent(window.location.pathname));
  }

  // ------------------------------------------------------------------------------------------- asking again

  function changed(named, episodes) {
    // other pages listen for it; null stands for everybody
    document.dispatchEvent(new CustomEvent("homeward:changed", { detail: named }));
    const open_ = /^\/patients\/(\d+)/.exec(window.location.pathname);
    if (open_ && (named === null || named.indexOf(Number(open_[1])) >= 0)) {
      patients += 1;
      setProps("live-patient", { data: { patient: Number(open_[1]), turn: patients } });
    }
    if (!has(GRID)) return;
    wantsCounts = wantsCounts || episodes || named === null;
    if (named === null || episodes || named.some(isLoaded)) plan();
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
    // rows must not move under a finger that is about to press
    if (document.querySelector(".acknowledge:hover:not([disabled])")) {
      heldSince = heldSince || Date.now();
      if (Date.now() - heldSince < HELD_MS) {
        refreshTimer = window.setTimeout(refresh, 250);
        return;
      }
    }
    heldSince = 0;
    lastRefresh = Date.now();
    if (wantsCounts) {
      wantsCounts = false;
      counts += 1;
      setProps("live-counts", { data: counts });
    }
    api.refreshInfiniteCache();
  }

  // --------------------------------------------------------------------------------------------- the list's keys

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

  function go(href) {
    window.history.pushState({}, "", href);
    window.dispatchEvent(new CustomEvent("_dashprivate_pushstate"));
    window.scrollTo(0, 0);
  }

  function pressAcknowledge(node) {
    const row = document.querySelector("#" + GRID + " .ag-row[row-id=\"" + node.data.id + "\"] .acknowledge");
    if (row) row.click();
  }

  function onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || !has(GRID)) return;
    const target = event.target;
    if (target.closest("input, textarea, select, [contenteditable], [role=listbox]")) return;
    if (event.key === "j") move(1);
    else if (event.key === "k") move(-1);
    else if (event.key === "/") document.getElementById("triage-search").focus();
    else if (event.key === "Enter" && isInList && !target.closest("button, a")) {
      const node = focusedNode();
      // while an update is on its way the row may be empty for a moment; who had the focus is known
      const patient = node && node.data ? node.data.id : focused;
      if (patient !== null) go("/patients/" + patient);
    } else if (event.key === "a") {
      const node = focusedNode();
      if (node && node.data) pressAcknowledge(node);
    } else return;
    event.preventDefault();
  }

  function onFocus(event) {
    const inside = event.target.closest && event.target.closest("#" + GRID) !== null;
    // an update may take the focused cell away: that is no one's wish to leave the list
    if (inside || event.target !== document.body) isInList = inside;
  }

  function onClick(event) {
    document.querySelectorAll("details.person-menu[open]").forEach(function (menu) {
      if (!menu.contains(event.target)) menu.removeAttribute("open");
    });
    const link = event.target.closest("a.cell-name, a.nav-link, a.inside");
    if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey && event.button === 0) {
      event.preventDefault();
      go(link.getAttribute("href"));
      return;
    }
    const row = event.target.closest("#" + GRID + " .ag-row");
    if (!row || link || event.target.closest("button")) return;
    const api = grid(), node = api && api.getRowNode(row.getAttribute("row-id"));
    if (node && node.data) go("/patients/" + node.data.id);
  }

  // ------------------------------------------------------------------------------------------ narrow screens

  function fit(api) {
    const box = document.getElementById(GRID);
    if (!box) return;
    const width = box.getBoundingClientRect().width;
    const form = width < NARROW_PX ? "tile" : width < TIGHT_PX ? "tight" : "wide";
    if (box.dataset.form === form) return;
    box.dataset.form = form;
    const all = api.getColumns().map(function (c) { return c.getColId(); });
    const numbers = ["respiration_rate", "spo2", "bp_systolic", "pulse", "temperature", "trend"];
    const shown = form === "tile" ? ["tile"] : all.filter(function (id) {
      return id !== "tile" && (form === "wide" || numbers.indexOf(id) < 0);
    });
    api.setColumnsVisible(all.filter(function (id) { return shown.indexOf(id) < 0; }), false);
    api.setColumnsVisible(shown, true);
    api.setGridOption("headerHeight", form === "tile" ? 0 : 38);
    api.setGridOption("rowHeight", form === "tile" ? 172 : 48);
    api.purgeInfiniteCache();
    // a user changes columns by nothing else, so what is visible fills the width
    api.sizeColumnsToFit();
  }

  function watchGrid() {
    const api = grid();
    if (!api || api.homewardWatched) return;
    api.homewardWatched = true;
    api.addEventListener("cellFocused", remember);
    api.addEventListener("modelUpdated", function () {
      if (window.homewardUnderway) window.homewardUnderway.clear();
      follow(api);
    });
    api.addEventListener("gridSizeChanged", function () { fit(api); });
    fit(api);
  }

  function tick() {
    const api = grid();
    if (api) api.refreshCells({ columns: ["since", "tile"], force: true });
  }

  // ------------------------------------------------------------------------------- functions of the callbacks

  function scheme() {
    return document.documentElement.getAttribute("data-mantine-color-scheme") === "dark" ? "dark" : "light";
  }

  window.dash_clientside = window.dash_clientside || {};
  window.dash_clientside.homeward = {
    scheme: scheme,
    toggleNavigation: function (opened, _path, navbar) {
      const moved = window.dash_clientside.callback_context.triggered.some(function (t) {
        return t.prop_id === "url.pathname";
      });
      const isOpen = moved ? false : Boolean(opened);
      return [Object.assign({}, navbar, { collapsed: { mobile: !isOpen } }), isOpen];
    },
    signOut: function (clicks) {
      if (clicks && !isLeaving) {
        isLeaving = true;
        fetch("/sign-out", { method: "POST" }).finally(function () { window.location.assign("/sign-in"); });
      }
      return Boolean(clicks);
    },
    // one choice of patients, whether made on a card, on the control or by the keyboard
    view: function (_cards, segment, site, search, view) {
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
      return JSON.stringify(now) === JSON.stringify(view) ? window.dash_clientside.no_update : now;
    },
    showView: function (view, segments, cards) {
      const api = grid();
      if (api) {
        api.ensureIndexVisible(0);
        api.purgeInfiniteCache();
      }
      return [segments.indexOf(view.filter) >= 0 ? view.filter : "",
        cards.map(function (c) { return String(c.filter === view.filter); })];
    },
    afterAcknowledge: function (said) {
      if (!said) return "";
      counts += 1;
      setProps("live-counts", { data: counts });
      const api = grid();
      if (api) api.refreshInfiniteCache();
      return said.words;
    },
  };

  document.addEventListener("keydown", onKey);
  document.addEventListener("focusin", onFocus);
  document.addEventListener("click", onClick, true);
  new MutationObserver(function () { setProps("scheme", { data: scheme() }); }).observe(document.documentElement, {
    attributes: true, attributeFilter: ["data-mantine-color-scheme"],
  });
  window.setInterval(function () {
    watchGrid();
    // the indicator may be drawn after the first message was heard
    if (socket && lastHeard && Date.now() - lastHeard < SILENCE_MS) say(true);
  }, 300);
  window.setInterval(tick, TICK_MS);
  // no need to wait for a missing heartbeat where the browser itself knows
  window.addEventListener("offline", function () {
    say(false);
    if (socket) socket.close();
  });
  window.addEventListener("online", function () {
    if (!socket) again();
  });
  window.addEventListener("load", open);
})();
