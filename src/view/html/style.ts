/** The page's whole look. Every colour that text has is legible (4.5 : 1 at least) on both backgrounds, in both schemes. */
export const style = `
:root{color-scheme:light dark;--bg:#f6f7f9;--card:#fff;--ink:#1b2129;--muted:#59626e;--line:#dfe3e8;--soft:#eef1f4;
--passed:#15734a;--passed-bg:#e5f4ec;--failed:#b3261e;--failed-bg:#fdeceb;--skipped:#875a00;--skipped-bg:#fdf3dc;--accent:#2a56b8;
--mono:ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace}
@media (prefers-color-scheme:dark){:root{--bg:#0f1318;--card:#171c23;--ink:#e4e8ee;--muted:#9ca7b4;--line:#2a323c;--soft:#1f262f;
--passed:#5fd39a;--passed-bg:#12281e;--failed:#ff8f85;--failed-bg:#35191a;--skipped:#e8b64c;--skipped-bg:#2e2513;--accent:#8fb3ff}}
*{box-sizing:border-box}
html{scroll-behavior:smooth;-webkit-text-size-adjust:100%}
body{margin:0;overflow-wrap:anywhere;background:var(--bg);color:var(--ink);font:16px/1.6 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","DejaVu Sans",sans-serif}
header,nav,main,footer{max-width:1120px;margin:0 auto;padding:0 24px}
p{margin:0 0 .75em}
h1,h2,h3,h4{line-height:1.25;text-wrap:balance;margin:0}
h1{font-size:clamp(1.75rem,5vw,2.5rem);letter-spacing:-.02em;font-weight:680}
h2{font-size:1.4rem;letter-spacing:-.01em;margin:64px 0 16px;scroll-margin-top:24px}
h3{font-size:1.1rem;margin:0 0 8px}
h4{font-size:.75rem;letter-spacing:.06em;text-transform:uppercase;color:var(--muted);margin:20px 0 6px}
code{font-family:var(--mono);font-size:.86em}
a{color:var(--accent)}
.muted{color:var(--muted)}.muted,small{font-size:.9rem}
.vh{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
header{padding-top:56px}
.eyebrow{color:var(--muted);display:flex;flex-wrap:wrap;gap:4px 16px;margin-bottom:12px}.eyebrow b{color:var(--ink)}
.badge{display:inline-grid;place-items:center;width:1.35em;height:1.35em;border-radius:50%;font-size:.8em;margin-right:.15em;vertical-align:.05em}
.well .badge{background:var(--passed-bg);color:var(--passed)}.bad .badge{background:var(--failed-bg);color:var(--failed)}
.lead{font-size:1.15rem;max-width:44em;text-wrap:pretty;margin:12px 0 28px}
.facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(104px,1fr));gap:1px;margin:0;background:var(--line);border:1px solid var(--line);border-radius:12px;overflow:hidden}
.facts div{background:var(--card);padding:14px 18px}
.facts dt{color:var(--muted);font-size:.8rem}.facts dd{margin:0;font-size:1.35rem;font-weight:620;font-variant-numeric:tabular-nums;white-space:nowrap}
.facts .passed dd{color:var(--passed)}.facts .failed dd{color:var(--failed)}.facts .skipped dd{color:var(--skipped)}
nav{margin-top:24px;display:flex;flex-wrap:wrap;gap:4px 20px}
nav a{text-decoration:none;padding:4px 0}nav a:hover{text-decoration:underline}
.calm{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:16px 20px}
.card{background:var(--card);border:1px solid var(--line);border-left:4px solid var(--failed);border-radius:12px;padding:22px 24px;margin:0 0 16px}
.card.warning{border-left-color:var(--skipped)}.card.unexplained{border-left-color:var(--muted)}.card.trace{border-left:1px solid var(--line)}
.card>:last-child{margin-bottom:0}
.tags{display:flex;flex-wrap:wrap;align-items:baseline;gap:6px 12px;margin-bottom:8px}
.code{background:var(--failed-bg);color:var(--failed);border-radius:6px;padding:2px 8px;font-weight:600}
.warning .code{background:var(--skipped-bg);color:var(--skipped)}
.unexplained .code,.trace .tags .code{background:var(--soft);color:var(--ink)}
.where{font-family:var(--mono);font-size:.86rem}
.evidence{margin:0;display:grid;gap:8px}
.evidence div{background:var(--soft);border-radius:8px;padding:10px 14px}
.evidence dt{color:var(--muted);font-size:.9rem}.evidence dd{margin:2px 0 0;font-size:.95rem}
.fix{background:var(--passed-bg);border-radius:8px;padding:12px 16px;margin-top:16px}
.fix h4{margin-top:0;color:var(--passed)}.unexplained .fix{background:var(--soft)}.unexplained .fix h4{color:var(--muted)}h4 code{font-size:1.1em;text-transform:none}.fix p{margin:0}.fix .muted{margin-top:6px;color:inherit}
details{margin-top:14px}
summary{cursor:pointer;padding:4px 0;border-radius:6px}
:focus-visible{outline:2px solid var(--accent);outline-offset:2px}
.pairs,.checks ul,.notes{list-style:none;margin:8px 0 0;padding:0}
.pairs{columns:18em;column-gap:32px}.pairs li{break-inside:avoid;padding:2px 0}
.notes li{padding:10px 0;border-top:1px solid var(--line)}.notes li:first-child{border-top:0}
.sign{font-weight:700}
.passed>.sign,.passed>summary .sign,.sign.passed{color:var(--passed)}.failed>.sign,.failed>summary .sign,.sign.failed{color:var(--failed)}.skipped>.sign,.skipped>summary .sign{color:var(--skipped)}
.scenario{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:0 20px;margin:0 0 10px}
.scenario>summary{display:flex;gap:12px;align-items:baseline;padding:14px 0;list-style:none}
.scenario>summary::-webkit-details-marker{display:none}
.scenario>summary .name{font-weight:560;flex:1;min-width:0}.scenario>summary .sum{color:var(--muted);font-variant-numeric:tabular-nums;white-space:nowrap}
.scenario>summary::after{content:"";flex:none;width:7px;height:7px;border:solid var(--muted);border-width:0 2px 2px 0;transform:translateY(-3px) rotate(45deg)}
.scenario[open]>summary::after{transform:rotate(225deg)}
.scenario[open]{padding-bottom:18px}
.scroll{position:relative;overflow:auto;width:fit-content;max-width:100%;max-height:70vh;border:1px solid var(--line);border-radius:8px}
.matrix{border-collapse:separate;border-spacing:0;font-size:.9rem;font-variant-numeric:tabular-nums}
.matrix th,.matrix td{padding:7px 12px;text-align:center;border-bottom:1px solid var(--line);border-right:1px solid var(--line);white-space:nowrap}
.matrix tr>:last-child{border-right:0}.matrix tbody tr:last-child>*{border-bottom:0}
.matrix th,.matrix thead td{background:var(--soft);font-weight:560;position:sticky;z-index:1}
.matrix thead th,.matrix thead td{top:0}.matrix tbody th,.matrix thead td{left:0;text-align:right}.matrix thead td{z-index:2}
.matrix .corner{color:var(--muted);font-size:.78rem;font-weight:400}.matrix td{min-width:56px}
.turned td{min-width:0}.turned thead th{vertical-align:bottom;padding:10px 6px}.turned thead span{writing-mode:vertical-rl;transform:rotate(180deg)}.turned td,.turned tbody th{padding:4px 8px}
td.passed{color:var(--passed)}td.failed{background:var(--failed-bg);color:var(--failed);font-weight:650}td.skipped{background:var(--skipped-bg);color:var(--skipped)}td.none{color:var(--muted)}
.checks li{padding:6px 0 6px 1.6em;border-top:1px solid var(--line);position:relative;overflow-wrap:anywhere;font-size:.95rem}
.checks li>.sign{position:absolute;left:0}
.line{color:var(--muted)}
.hops{list-style:none;margin:8px 0 0;padding:0}
.hops li{display:grid;grid-template-columns:28px minmax(0,1fr) minmax(0,42%);gap:0 14px;padding:0 0 16px;position:relative}
.hops .line{padding-top:3px}
.hops li::before{content:"";position:absolute;left:13px;top:28px;bottom:0;width:2px;background:var(--line)}.hops li:last-child::before{display:none}
.hops .sign{width:28px;height:28px;border-radius:50%;display:grid;place-items:center;background:var(--passed-bg);color:var(--passed);font-size:.85rem}
.hops .dies .sign{background:var(--failed-bg);color:var(--failed)}.hops .changed .sign,.hops .unknown .sign{background:var(--skipped-bg);color:var(--skipped)}
.hops p{margin:0}.hops p:first-child{padding-top:1px}.hops div{min-width:0}
.hops .place{font-family:var(--mono);font-size:.86rem}.hops .outcome{color:var(--skipped);font-weight:600}.hops .dies .outcome{color:var(--failed)}
.packet{font-family:var(--mono);font-size:.86rem}
.drawing{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:20px;margin:0 0 12px}
.drawing svg{display:block;margin:0 auto;max-width:100%;height:auto;font-family:inherit}
.narrow{display:none!important}
svg text{fill:var(--ink);font-size:12px}svg .n{font-size:15px;font-weight:650}svg .m{fill:var(--muted);font-size:11px}svg .mono{font-family:var(--mono);font-size:11px}
svg .box{fill:var(--bg);stroke:var(--line);stroke-width:1.5}svg .box.failed{stroke:var(--failed)}svg .box.skipped{stroke:var(--skipped);stroke-dasharray:5 4}
svg .part{fill:var(--card);stroke:var(--line)}svg .part.down{stroke:var(--failed);stroke-dasharray:4 3}svg .wire{stroke:var(--muted);stroke-width:1.5;fill:none}
svg .bridge{fill:var(--soft);stroke:var(--muted)}svg .bridge.down{stroke:var(--failed);stroke-dasharray:4 3}
svg .link{fill:none;stroke-width:2}svg .link.passed{stroke:var(--passed)}svg .link.failed{stroke:var(--failed);stroke-dasharray:6 5;stroke-width:2.5}svg .chord.passed{stroke-width:1;opacity:.4}svg .link.skipped{stroke:var(--muted);stroke-dasharray:2 5}
svg .pill{fill:var(--card);stroke:var(--line)}svg .pill.failed{fill:var(--failed-bg);stroke:var(--failed)}svg .pill.passed{stroke:var(--passed)}svg .pill.skipped{stroke:var(--skipped)}
svg .t.failed{fill:var(--failed);font-weight:650}svg .t.passed{fill:var(--passed)}svg .t.skipped{fill:var(--skipped)}
.legend{display:flex;flex-wrap:wrap;gap:4px 24px;margin:14px 0 0;padding:0;list-style:none;font-size:.9rem;color:var(--muted)}
footer{padding-top:48px;padding-bottom:64px;color:var(--muted);font-size:.9rem}
@media (max-width:760px){header,nav,main,footer{padding-left:16px;padding-right:16px}header{padding-top:32px}h2{margin-top:44px}
.facts{grid-template-columns:repeat(3,1fr)}.facts div{padding:12px 14px}.facts dd{font-size:1.15rem}.card{padding:18px 16px}.scenario{padding:0 14px}
.hops li{grid-template-columns:28px minmax(0,1fr)}.hops .line{grid-column:2}
.wide{display:none!important}.narrow{display:block!important}.drawing{padding:14px 10px}}
@media print{body{background:#fff}nav{display:none}.card,.scenario,.drawing{break-inside:avoid}.scroll{max-height:none;overflow:visible}details::details-content{content-visibility:visible;block-size:auto}.checks{display:none}}
@media (prefers-reduced-motion:reduce){html{scroll-behavior:auto}}
`
