// How are the cells of the list of devices drawn, and when does it ask for its rows again?
(function () {
  "use strict";
  const components = (window.dashAgGridComponentFunctions = window.dashAgGridComponentFunctions || {});
  const el = function () { return window.React.createElement.apply(null, arguments); };

  function link(href, words) {
    return href ? el("a", { className: "inside", href: href }, words) : el("span", null, words);
  }

  // codes of one kind are alike at the beginning and at the end: what does not fit is left out in between
  const KEPT = 10;
  function code(data) {
    const whole = data.code, at = Math.max(0, whole.length - KEPT);
    return el("a", { className: "inside device-code", href: data.href, title: whole },
      el("span", { className: "device-code-start" }, whole.slice(0, at)), el("span", null, whole.slice(at)));
  }

  // a row whose data are on their way has none
  Object.assign(components, {
    HwDeviceLink: (props) => props.data ? code(props.data)
      : el("div", { className: "bar", "aria-hidden": true }),
    HwDevicePatient: (props) => props.data ? link(props.data.patient_href, props.data.patient) : null,
    HwDeviceState: function (props) {
      if (!props.data) return null;
      const kind = props.data[props.colDef.field + "_kind"];
      return el("span", { className: kind ? "state state-" + kind : "" }, props.value);
    },
  });

  // the server has found the options already, also by what stands in none of them
  const functions = (window.dashMantineFunctions = window.dashMantineFunctions || {});
  functions.showEveryOption = (given) => given.options;

  window.dash_clientside = Object.assign({}, window.dash_clientside, {
    homewardDevices: {
      show: function (view, _, name) {
        const api = window.homeward.grid("device-grid");
        if (api) {
          const changed = JSON.stringify(view) !== window.homewardDeviceView;
          // while somebody reads, rows are replaced in their places
          if (changed) api.purgeInfiniteCache(); else api.refreshInfiniteCache();
        }
        window.homewardDeviceView = JSON.stringify(view);
        return name;
      },
    },
  });
})();
