// How does an open page stay true? It hears of changes over the WebSocket /live and asks again for what it shows; where
// no heartbeat comes it says so, on every page. Also: the navigation's small acts. Pages' own scripts listen to it.
(function () {
  "use strict";
  // charts need only lines: the small build, fetched when the first chart is drawn
  Object.defineProperty(window, "_dashPlotlyJSURL", {
    get: function () { return "/assets/plotly-basic.min.js?m=4.1.1"; },
    set: function () {},
  });

  const SILENCE_MS = 25000, LONGEST_WAIT_MS = 15000;
  let socket = null, failures = 0, lastHeard = 0, silence = null, patients = 0, beats = 0, isLeaving = false;
  const listeners = [];

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

  // a grid's own interface; none until the grid is drawn: asking for it sooner is an error of its component
  function grid(id) {
    if (!has(id) || !window.dash_ag_grid) return null;
    try {
      const api = window.dash_ag_grid.getApi(id);
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
    document.documentElement.dataset.live = isLive ? "yes" : "lost";
    const banner = document.getElementById("lost");
    if (banner) setProps("lost", { hidden: isLive, children: isLive ? "" : banner.dataset.lost.replace("{at}", at) });
  }

  function heard() {
    lastHeard = Date.now();
    failures = 0;
    say(true);
    listen();
  }

  // also while the connection is being made: one that is neither made nor refused would say so for ever
  function listen() {
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
    listen();
    socket.onopen = function () {
      heard();
      changed(null, true, null); // whatever happened meanwhile
    };
    socket.onmessage = function (event) {
      heard();
      const message = JSON.parse(event.data);
      if (message.type === "signed_out") return signIn();
      if (message.type === "changed") changed(message.patients, message.episodes, message.sites);
      if (message.type === "heartbeat") beat();
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
    const ended = window.homewardKept.keep() ? "kept" : "session";
    window.location.assign("/sign-in?next=" + encodeURIComponent(window.location.pathname) + "&ended=" + ended);
  }

  // ------------------------------------------------------------------------------------------- asking again

  function changed(named, episodes, sites) {
    // other pages listen for it; null stands for everybody, and for every site
    document.dispatchEvent(new CustomEvent("homeward:changed", { detail: { patients: named, episodes: episodes, sites: sites } }));
    const open_ = /^\/patients\/(\d+)/.exec(window.location.pathname);
    if (open_ && (named === null || named.indexOf(Number(open_[1])) >= 0)) {
      patients += 1;
      setProps("live-patient", { data: { patient: Number(open_[1]), turn: patients } });
    }
    listeners.forEach(function (listener) { listener(named, episodes, sites); });
  }

  // what changes without a patient, such as a service that has stopped, is asked for again with each heartbeat
  function beat() {
    beats += 1;
    if (!document.hidden) setProps("live-beat", { data: beats });
  }

  function go(href) {
    window.history.pushState({}, "", href);
    window.dispatchEvent(new CustomEvent("_dashprivate_pushstate"));
    window.scrollTo(0, 0);
  }

  function onClick(event) {
    document.querySelectorAll("details.person-menu[open]").forEach(function (menu) {
      if (!menu.contains(event.target)) menu.removeAttribute("open");
    });
    const link = event.target.closest("a.cell-name, a.nav-link, a.inside");
    if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey && event.button === 0) {
      event.preventDefault();
      go(link.getAttribute("href"));
    }
  }

  // ------------------------------------------------------------------------------- functions of the callbacks

  function scheme() {
    return document.documentElement.getAttribute("data-mantine-color-scheme") === "dark" ? "dark" : "light";
  }

  window.dash_clientside = window.dash_clientside || {};
  window.dash_clientside.homeward = {
    scheme: scheme,
    title: function (page) {
      const title = page && page.props && page.props["data-title"];
      if (title) document.title = title;
    },
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
        fetch("/sign-out", { method: "POST" }).then(
          // where it leads says whether there is a provider to sign out of as well
          function (answer) { window.location.assign(answer.ok ? answer.url : "/sign-in"); },
          function () { window.location.assign("/sign-in"); });
      }
      return Boolean(clicks);
    },
  };

  document.addEventListener("click", onClick, true);
  new MutationObserver(function () { setProps("scheme", { data: scheme() }); }).observe(document.documentElement, {
    attributes: true, attributeFilter: ["data-mantine-color-scheme"],
  });
  window.setInterval(function () {
    // the indicator may be drawn after the first message was heard
    if (socket && lastHeard && Date.now() - lastHeard < SILENCE_MS) say(true);
  }, 300);
  // no need to wait for a missing heartbeat where the browser itself knows
  window.addEventListener("offline", function () {
    say(false);
    if (socket) socket.close();
  });
  window.addEventListener("online", function () {
    if (!socket) again();
  });
  window.addEventListener("load", open);
  window.homeward = {
    setProps: setProps, has: has, grid: grid, go: go, onChanged: function (listener) { listeners.push(listener); },
  };
})();
