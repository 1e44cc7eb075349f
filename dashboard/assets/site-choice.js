// How does somebody go on to another of their sites, from a page that shows one at a time?
(function () {
  "use strict";
  Object.assign(window.dash_clientside.homeward, {
    // the choice above the page takes it over, and with it every page
    chooseSite: function () {
      const pressed = window.dash_clientside.callback_context.triggered[0];
      if (!pressed || !pressed.value) return window.dash_clientside.no_update;
      return String(JSON.parse(pressed.prop_id.slice(0, pressed.prop_id.lastIndexOf("."))).site);
    },
  });
})();
