// SPDX-License-Identifier: MIT

/// The report of a run to look at: one file that holds the JSON and draws it, without anything from
/// elsewhere.
enum ReportPage {
  /// What stands before the JSON, in which every `<` is written as `\u003c`.
  static let before = """
    <!DOCTYPE html>
    <html lang="en">
    <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width">
    <title>wpool report</title>
    <style>
    body { font: 15px/1.5 system-ui, sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em; color: #222 }
    h1 { font-size: 1.6em } h2 { border-bottom: 1px solid #ccc; margin-top: 2em } h3 { margin-bottom: .2em }
    table { border-collapse: collapse } td { padding: .1em 1em .1em 0; vertical-align: top }
    td.n { text-align: right; font-variant-numeric: tabular-nums }
    section section { margin-left: 1.2em } svg { width: 100%; height: 14em; background: #fafafa }
    svg text { font-size: 11px; fill: #555 } .key { margin-right: 1em } pre { background: #f4f4f4; padding: 1em; overflow: auto }
    i { display: inline-block; background: #4878a8; height: .8em }
    </style>
    </head>
    <body>
    <h1>wpool report</h1>
    <main></main>
    <script type="application/json" id="report">

    """

  static let after = """
    </script>
    <script>
    const report = JSON.parse(document.getElementById("report").textContent);
    const colours = ["#2a9d3a", "#3060c0", "#d08a10", "#c83030", "#777"];
    const add = (element, parent, text, attributes) => {
      if (text !== null && text !== undefined) element.textContent = text;
      for (const key in attributes || {}) element.setAttribute(key, attributes[key]);
      parent.appendChild(element);
      return element;
    };
    const make = (name, ...more) => add(document.createElement(name), ...more);
    const draw = (name, ...more) => add(document.createElementNS("http://www.w3.org/2000/svg", name), ...more);
    const show = (value) => typeof value !== "number" ? String(value)
      : Number.isInteger(value) ? value.toLocaleString("en") : value.toPrecision(5);
    const isNumbers = (value) => Array.isArray(value) && value.every((n) => typeof n === "number");
    function chart(parent, lines) {
      const names = Object.keys(lines), count = Math.max(...names.map((n) => lines[n].length));
      if (!count) return;
      const top = Math.max(...names.map((n) => lines[n].reduce((a, b) => Math.max(a, b), 0))) || 1;
      const svg = draw("svg", parent, null, { viewBox: "0 0 800 220", preserveAspectRatio: "none" });
      names.forEach((name, index) => {
        const points = lines[name].map((n, i) =>
          (40 + 750 * (count > 1 ? i / (count - 1) : .5)).toFixed(1) + "," + (195 - 180 * n / top).toFixed(1));
        draw("polyline", svg, null, { points: points.join(" "), fill: "none", "stroke-width": 1.5,
          stroke: colours[index % colours.length], "vector-effect": "non-scaling-stroke" });
      });
      draw("line", svg, null, { x1: 40, x2: 790, y1: 195, y2: 195, stroke: "#999" });
      draw("text", svg, show(top), { x: 42, y: 12 });
      draw("text", svg, "0", { x: 40, y: 212 });
      draw("text", svg, String(count - 1), { x: 760, y: 212 });
      if (names.length > 1) {
        const legend = make("p", parent);
        names.forEach((name, index) =>
          make("span", legend, "— " + name, { class: "key", style: "color:" + colours[index % colours.length] }));
      }
    }
    function bars(parent, values) {
      const names = Object.keys(values), shown = names.slice(0, 60);
      const top = Math.max(...names.map((n) => values[n])) || 1, table = make("table", parent);
      for (const name of shown) {
        const row = make("tr", table);
        make("td", row, name || "(empty)");
        make("td", row, show(values[name]), { class: "n" });
        make("i", make("td", row), null, { style: "width:" + (20 * values[name] / top).toFixed(2) + "em" });
      }
      if (names.length > shown.length) make("p", parent, "and " + (names.length - shown.length) + " more");
    }
    function put(parent, name, value, depth) {
      const section = make("section", parent);
      make(depth ? "h3" : "h2", section, name.replaceAll("_", " "));
      if (isNumbers(value)) return chart(section, { [name]: value });
      const members = Object.entries(value);
      if (members.length && members.every((m) => isNumbers(m[1]))
          && new Set(members.map((m) => m[1].length)).size === 1) return chart(section, value);
      const plain = members.filter((m) => m[1] === null || typeof m[1] !== "object");
      if (depth > 0 && plain.length === members.length && plain.length > 1
          && plain.every((m) => typeof m[1] === "number")
          && !plain.some((m) => /_(bases|count|capacity)$/.test(m[0]))) return bars(section, value);
      const table = make("table", section);
      for (const [key, one] of plain) {
        const row = make("tr", table);
        make("td", row, key.replaceAll("_", " "));
        make("td", row, show(one), { class: "n" });
      }
      for (const [key, one] of members) if (one !== null && typeof one === "object") put(section, key, one, depth + 1);
    }
    const main = document.querySelector("main");
    for (const name of report.report_order) put(main, name, report[name], 0);
    const about = make("section", main);
    make("h2", about, "Run");
    make("p", about, "wpool " + (report.run_info || {}).program_version + ", in " + (report.run_info || {}).working_directory);
    make("pre", about, (report.run_info || {}).input_toml);
    </script>
    </body>
    </html>

    """
}
