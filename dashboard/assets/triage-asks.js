// How does the triage page ask for its rows, for the numbers on its cards and for what is new? In one question to one
// route. Where no answer comes the list keeps what it shows, says so, and asks again.
(function () {
  "use strict";
  const hw = window.homeward, setProps = hw.setProps, has = hw.has;
  const ADDRESS = "/triage/look", LONGEST_MS = 20000, AGAIN_MS = 5000, MOST_KEPT = 8;
  let turn = 0, shown = 0, answers = 0, wantsNumbers = true, isAskingNews = false, view = {}, kept = new Map(), keptFor = "";

  function el(type, props) {
    return { type: type, namespace: "dash_html_components", props: props };
  }

  function ask(wanted) {
    return fetch(ADDRESS, {
      method: "POST", body: JSON.stringify(wanted), signal: window.AbortSignal.timeout(LONGEST_MS),
      headers: { "Content-Type": "application/json", Accept: "application/json" },
    }).then(function (answer) {
      if (!answer.ok) throw new Error("the list was answered with " + answer.status);
      return answer.json();
    });
  }

  // whatever else is wanted now goes along with the rows
  function askAlong(wanted) {
    const mine = (turn += 1), news = hw.news.take();
    if (wantsNumbers) wanted.numbers = true;
    if (news) wanted.news = news;
    wantsNumbers = false;
    return ask(wanted).then(function (answer) {
      // an answer that was overtaken by a later one has older numbers
      if (answer.numbers && mine > shown) showNumbers(answer.numbers, mine);
      if (answer.news) hw.news.heard(answer.news);
      return answer;
    }, function (error) {
      wantsNumbers = wantsNumbers || Boolean(wanted.numbers);
      if (news) hw.news.lost(news);
      throw error;
    });
  }

  function showNumbers(numbers, mine) {
    shown = mine;
    Object.keys(numbers.shown).forEach(function (id) {
      const place = document.getElementById(id);
      if (place && place.textContent !== numbers.shown[id]) setProps(id, { children: numbers.shown[id] });
    });
    const said = document.getElementById("triage-intake"), intake = numbers.intake;
    if (said && (intake || said.textContent)) {
      setProps("triage-intake", { children: intake && el("Div", { className: "trouble", role: "alert",
        children: [el("Strong", { children: intake.what + " " }), intake.meaning] }) });
    }
  }

  function trouble(words) {
    return words ? el("Div", { children: words, className: "trouble", role: "alert" }) : null;
  }

  function keep(start, found) {
    kept.delete(start);
    kept.set(start, found);
    if (kept.size > MOST_KEPT) kept.delete(kept.keys().next().value);
  }

  // the grid waits for every answer, so there always is one; it takes no notice of one that equals the last, so none does
  function answered(rowData, rowCount) {
    answers += 1;
    return { rowData: rowData, rowCount: rowCount, answer: answers };
  }

  function rows(request, given) {
    const of = JSON.stringify(given);
    if (!request) return [answered([], 0), null, "", true];
    view = given;
    if (of !== keptFor) kept = new Map();
    keptFor = of;
    return askAlong({ view: given, rows: [request.startRow, request.endRow] }).then(function (answer) {
      const found = answer.rows;
      if (of === keptFor) keep(request.startRow, found);
      return [answered(found.listed, found.total), trouble(found.trouble), found.empty, found.total > 0];
    }, function () {
      const place = document.getElementById("triage-trouble"), last = of === keptFor ? kept.get(request.startRow) : null;
      window.setTimeout(hw.list.again, AGAIN_MS);
      return [last ? answered(last.listed, last.total) : answered([], 0), trouble(place ? place.dataset.failed : ""), "", true];
    });
  }

  // where rows must not move now, or nobody sees them, what is new is asked for alone
  function askNews() {
    if (isAskingNews || !hw.news.isWanted()) return;
    const news = hw.news.take();
    isAskingNews = true;
    ask({ view: view, news: news }).then(function (answer) {
      isAskingNews = false;
      hw.news.heard(answer.news);
      askNews();
    }, function () {
      isAskingNews = false;
      hw.news.lost(news);
      window.setTimeout(askNews, AGAIN_MS);
    });
  }

  Object.assign(window.dash_clientside.homeward, { rows: rows });
  hw.asks = {
    askNews: askNews,
    wantNumbers: function () { wantsNumbers = true; },
    site: function () { return view.site ? Number(view.site) : null; },
  };
})();
