#pragma once

namespace fercli {

/// One column that is easy to read, on paper as on a phone: what is wider scrolls inside its own frame.
constexpr const char* kReportStyle = R"css(
:root { --ink: #1d2329; --soft: #59636e; --line: #d9dee3; --paper: #fff; --tint: #f4f6f8; --accent: #0072b2;
  --alarm: #b3261e; --warn: #9a5b00; --good: #006b4f; --alarm-tint: #fdecea; --warn-tint: #fff6e0; --good-tint: #e9f7f2;
  --verdict-tint: #eaf4fb; --marked: #fff1e6; --shade: #0003; color-scheme: light dark; }
@media screen and (prefers-color-scheme: dark) {
  :root { --ink: #e6eaee; --soft: #a9b4bf; --line: #39424b; --paper: #14181c; --tint: #1e242a; --accent: #6cb8ea;
    --alarm: #ff9c93; --warn: #f2b84b; --good: #5fd3ab; --alarm-tint: #3a1c1a; --warn-tint: #35290f; --good-tint: #12302a;
    --verdict-tint: #16293a; --marked: #452a14; --shade: #fff3; }
  figure img { background: #fff; border-radius: 6px; padding: .4rem; }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; scroll-behavior: smooth; }
body { margin: 0; color: var(--ink); background: var(--paper);
  font: 17px/1.6 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", Arial, sans-serif; }
main { max-width: 60rem; margin: 0 auto; padding: 2.2rem 1.4rem 4rem; }
h1 { font-size: 2rem; line-height: 1.2; margin: 0 0 .4rem; letter-spacing: -.01em; overflow-wrap: anywhere; }
h2 { font-size: 1.45rem; line-height: 1.3; margin: 3.2rem 0 .8rem; padding-top: .9rem; border-top: 2px solid var(--ink); }
h3 { font-size: 1.12rem; margin: 2rem 0 .6rem; color: var(--accent); }
p { margin: .7rem 0; max-width: 44rem; }
.subtitle { color: var(--soft); margin-bottom: 1.4rem; overflow-wrap: anywhere; }
nav { margin: 1.6rem 0 0; padding: .8rem 1.1rem; background: var(--tint); border-radius: 8px; font-size: .94rem; }
nav ol { margin: .3rem 0 0; padding-left: 1.4rem; columns: 2; column-gap: 2rem; }
nav li { break-inside: avoid; }
.up { position: fixed; right: .8rem; bottom: .8rem; z-index: 1; padding: .5rem .9rem; border: 1px solid var(--line);
  border-radius: 2rem; background: var(--tint); text-decoration: none; font-size: .88rem; }
section { scroll-margin-top: 1rem; }
a { color: var(--accent); }
.callout { margin: 1rem 0; padding: .8rem 1.1rem; border-left: 6px solid var(--soft); border-radius: 4px;
  background: var(--tint); }
.callout p { margin: .3rem 0; max-width: none; }
.callout .title { font-weight: 700; }
.callout ul { margin: .3rem 0; padding-left: 1.2rem; }
.callout li { margin: .25rem 0; }
.alarm { border-color: var(--alarm); background: var(--alarm-tint); } .alarm .title { color: var(--alarm); }
.warning { border-color: #e69f00; background: var(--warn-tint); } .warning .title { color: var(--warn); }
.good { border-color: #009e73; background: var(--good-tint); } .good .title { color: var(--good); }
.verdict { border-color: var(--accent); background: var(--verdict-tint); } .verdict .title { font-size: 1.15rem; }
.caption, figcaption, summary { color: var(--soft); font-size: .94rem; line-height: 1.5; }
.caption { margin: 1.5rem 0 .4rem; }
summary { cursor: pointer; margin: 1.1rem 0 .4rem; }
.scroll { overflow-x: auto; -webkit-overflow-scrolling: touch;  /* a shadow on the side where there is more */
  background: linear-gradient(to right, var(--paper) 40%, transparent) 0 0 / 3rem 100% no-repeat local,
    linear-gradient(to left, var(--paper) 40%, transparent) 100% 0 / 3rem 100% no-repeat local,
    linear-gradient(to right, var(--shade), transparent) 0 0 / .9rem 100% no-repeat scroll,
    linear-gradient(to left, var(--shade), transparent) 100% 0 / .9rem 100% no-repeat scroll; }
.scroll:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
table { border-collapse: separate; border-spacing: 0; font-size: .9rem; line-height: 1.35; font-variant-numeric: tabular-nums; }
thead th { border-bottom: 2px solid var(--ink); vertical-align: bottom; text-align: right; }
thead th:first-child { text-align: left; }
th, td { padding: .4rem .6rem; border-bottom: 1px solid var(--line); }
td { text-align: right; white-space: nowrap; vertical-align: top; }
th { font-weight: 600; }
tbody th { text-align: left; vertical-align: top; position: sticky; left: 0; background: var(--paper); }
thead th:first-child { position: sticky; left: 0; background: var(--paper); }
td.prose, thead th.prose { text-align: left; white-space: normal; min-width: 9rem; overflow-wrap: anywhere; }
td.prose ~ td.prose { min-width: 16rem; }
td small { display: block; color: var(--soft); font-size: .82em; }
td.marked { background: var(--marked); outline: 2px solid #d55e00; outline-offset: -2px; }
small { color: var(--soft); font-size: .88em; white-space: nowrap; }
figure { margin: 1.6rem 0; }
figure img { display: block; width: 100%; max-width: 52rem; height: auto; }
figcaption { margin-top: .5rem; max-width: 44rem; }
.gallery { display: grid; grid-template-columns: repeat(auto-fill, minmax(19rem, 1fr)); gap: 1rem; margin: 1.2rem 0; }
.card { margin: 0; padding: .8rem; border: 1px solid var(--line); border-radius: 8px; }
.card .faces { display: grid; grid-template-columns: repeat(3, 1fr); gap: .6rem; }
.card .face { font-size: .82rem; line-height: 1.35; color: var(--soft); }
.card img { image-rendering: pixelated; border-radius: 4px; margin-bottom: .3rem; aspect-ratio: 1; object-fit: contain; }
.card figcaption { font-size: .85rem; }
footer { margin-top: 3.5rem; padding-top: .9rem; border-top: 1px solid var(--line); color: var(--soft); font-size: .88rem; }
@media screen and (min-width: 78rem) {  /* the contents stay beside the text */
  nav { position: fixed; inset: 0 auto 0 0; width: 15rem; margin: 0; padding: 1.6rem 1.1rem; border-radius: 0;
    border-right: 1px solid var(--line); overflow-y: auto; }
  nav ol { columns: 1; }
  nav li { margin: .35rem 0; }
  main { margin-left: max(15.5rem, calc((100vw - 60rem) / 2)); }
  .up { display: none; }
}
@media (max-width: 40rem) {
  body { font-size: 16px; }
  main { padding: 1.2rem 1rem 3rem; }
  h1 { font-size: 1.55rem; }
  h2 { font-size: 1.25rem; margin-top: 2.4rem; }
  nav ol { columns: 1; }
  th, td { padding: .35rem .5rem; }
  tbody th { max-width: 9.5rem; overflow-wrap: break-word; }
  figure .wide { width: 30rem; }
  .gallery { grid-template-columns: 1fr; }
}
@media print {
  body { font-size: 10.5pt; }
  main { max-width: none; padding: 0; }
  nav, .up { display: none; }
  .scroll { overflow: visible; }
  details::details-content { content-visibility: visible; block-size: auto; }
  h2, h3, .caption { break-after: avoid; }
  figure, .callout, tr { break-inside: avoid; }
}
)css";

}  // namespace fercli
