#pragma once
#include <string_view>

namespace plugins {

inline constexpr std::string_view page_icon = R"(<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">
<rect width="32" height="32" rx="6" fill="#17303f"/>
<path d="M6 7v16h20V7M16 9v14" fill="none" stroke="#f0e2b8" stroke-width="4.5"/>
<path d="M5 28h22" stroke="#e58bc0" stroke-width="2.5"/>
</svg>
)";

/// Colours and letters as on the test server's page: a harbour chart.
inline constexpr std::string_view page_style = R"(:root {
  color-scheme: light dark;
  --land: #f3e8c8;
  --quay: #22313b;
  --water: #e6f0f5;
  --paper: #fefdf9;
  --line: #d3d8d6;
  --edge: #7c8a91;
  --ink: #1a2932;
  --faint: #54646d;
  --magenta: #a31c6e;
  --on-magenta: #ffffff;
  --open: #17704c;
  --lost: #ac2219;
  --figure: "Gill Sans", "Gill Sans Nova", Seravek, "Avenir Next", Calibri, "DejaVu Sans Condensed", system-ui, sans-serif;
  --mono: ui-monospace, "SF Mono", "Cascadia Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace;
}
@media (prefers-color-scheme: dark) {
  :root {
    --land: #241f14;
    --quay: #5a523c;
    --water: #0a1820;
    --paper: #13212b;
    --line: #2b3d49;
    --edge: #6b818f;
    --ink: #dfe8ed;
    --faint: #9db0bc;
    --magenta: #f08cc6;
    --on-magenta: #2b0a1d;
    --open: #6fd3a2;
    --lost: #ff9a8d;
  }
}
* { box-sizing: border-box; }
[hidden] { display: none !important; }
body { margin: 0; min-height: 100vh; background: var(--water); color: var(--ink); font: 15px/1.45 var(--figure); }
h1, h2, p, dl, dd { margin: 0; }
:focus-visible { outline: 2px solid var(--magenta); outline-offset: 2px; }
header, main { padding: 20px max(20px, calc((100vw - 1040px) / 2)); }
header { display: flex; align-items: center; gap: 14px; background: var(--land); border-bottom: 12px solid var(--quay); }
header svg { width: 44px; height: 44px; }
header path { fill: none; stroke: var(--ink); stroke-width: 4; }
header .tide { stroke: var(--magenta); stroke-width: 2; }
h1 { font-size: 28px; line-height: 1; font-weight: 600; }
header p { font-style: italic; color: var(--faint); font-size: 16px; }
main { display: grid; grid-template-columns: minmax(0, 1fr); gap: 20px; }
section { min-width: 0; padding: 16px 20px; background: var(--paper); border: 1px solid var(--line); border-radius: 5px; }
h2 { font-size: 19px; font-weight: 600; margin-bottom: 10px; }
.faint { color: var(--faint); }
.error { color: var(--lost); overflow-wrap: anywhere; }
.error:empty { display: none; }
form { display: grid; gap: 12px; max-width: 640px; }
label { display: block; font-size: 14px; color: var(--faint); margin-bottom: 4px; }
input {
  width: 100%;
  font: inherit;
  color: inherit;
  background: var(--paper);
  border: 1px solid var(--edge);
  border-radius: 4px;
  padding: 8px 10px;
}
.actions { display: flex; flex-wrap: wrap; align-items: center; gap: 8px 14px; }
button {
  font: inherit;
  color: var(--ink);
  background: transparent;
  border: 1px solid var(--edge);
  border-radius: 4px;
  padding: 8px 14px;
  min-height: 40px;
  cursor: pointer;
}
button:hover { border-color: var(--magenta); color: var(--magenta); }
button[type="submit"] { background: var(--magenta); border-color: var(--magenta); color: var(--on-magenta); }
button:disabled { background: transparent; color: var(--faint); border: 1px dashed var(--edge); cursor: not-allowed; }
progress { width: 100%; height: 14px; accent-color: var(--magenta); }
output { font-variant-numeric: tabular-nums; }
.scroll { overflow-x: auto; }
table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { text-align: left; vertical-align: top; padding: 6px 14px 6px 0; border-top: 1px solid var(--line); }
th { font-weight: 400; font-size: 14px; color: var(--faint); border-top: 0; white-space: nowrap; }
td { min-width: 9ch; overflow-wrap: anywhere; white-space: pre-wrap; unicode-bidi: plaintext; }
td:last-child { min-width: 22ch; }
.number, .sum { min-width: 0 !important; white-space: nowrap; }
.number { text-align: right; }
code { font: 13px/1.5 var(--mono); overflow-wrap: anywhere; }
.figures { margin-top: 12px; display: grid; grid-template-columns: repeat(auto-fit, minmax(130px, 1fr)); gap: 16px; }
.figures dt { color: var(--faint); font-size: 14px; }
.figures dd { font-size: 34px; line-height: 1.15; font-weight: 300; font-variant-numeric: tabular-nums; }
.state { font-weight: 600; color: var(--lost); }
.state[data-state="open"] { color: var(--open); }
@media (max-width: 560px) {
  header, main { padding: 14px 12px; }
  section { padding: 14px; }
  input { font-size: 16px; }
}
)";

}  // namespace plugins
