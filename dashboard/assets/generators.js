// What do Dash's scripts still ask of a browser that none has any more? The part of them that notices when a component
// fetched later has come was translated for browsers without generators, and asks for these by name. Dash brings 29 kB
// for it, and for what every browser has had since 2018; what is asked for is one function, run one step at a time.
(function () {
  "use strict";
  if (window.regeneratorRuntime) return;
  window.regeneratorRuntime = {
    mark: function (made) { return made; },
    wrap: function (run) {
      const step = { prev: 0, next: 0, sent: undefined, done: false, stop: function () { step.done = true; } };
      return {
        next: function (sent) {
          step.sent = sent;
          const value = run(step);
          return { value: value, done: step.done };
        },
        throw: function (error) {
          step.done = true;
          throw error;
        },
      };
    },
  };
})();
