// Counts over time, with the events as lines across: drawn by uPlot.
"use strict";

const box = document.querySelector("[data-series]");

function color(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

const whole = new Intl.NumberFormat();
const compact = new Intl.NumberFormat(undefined, { notation: "compact", maximumFractionDigits: 2 });
// Counts are whole: no line between two of them.
const steps = Array.from({ length: 12 }, (_, power) => [1, 2, 5].map((n) => n * 10 ** power)).flat();

function labels(values) {
  const apart = values.length > 1 && values[1] - values[0] >= values[values.length - 1] / 100;
  return values.map((value) => (apart && value >= 10000 ? compact : whole).format(value));
}

function marks(events) {
  return (chart) => {
    const { ctx, bbox } = chart;
    ctx.save();
    for (const event of events) {
      const x = chart.valToPos(event.occurred_at, "x", true);
      if (x < bbox.left || x > bbox.left + bbox.width) continue;
      ctx.strokeStyle = color(event.event_type === "new_video" ? "--good" : "--bad");
      ctx.setLineDash([4, 4]);
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
    }
    ctx.restore();
  };
}

function draw(place, { looks, events }) {
  const key = place.dataset.chart;
  const axis = { stroke: color("--soft"), grid: { stroke: color("--line") }, ticks: { stroke: color("--line") } };
  const options = {
    width: place.clientWidth,
    height: 190,
    cursor: { y: false },
    scales: { y: { range: (_, low, high) => (low === high ? [low - 1, high + 1] : uPlot.rangeNum(low, high, 0.1, true)) } },
    axes: [axis, { ...axis, size: 76, incrs: steps, values: (_, values) => labels(values) }],
    series: [
      {},
      { label: place.parentElement.querySelector("figcaption").textContent.split(":")[0],
        stroke: color("--accent"), width: 2, spanGaps: true, points: { show: looks.seen_at.length < 60 } },
    ],
    hooks: { draw: [marks(events)] },
  };
  return new uPlot(options, [looks.seen_at, looks[key]], place);
}

if (box) {
  const series = JSON.parse(box.dataset.series);
  const charts = [...box.querySelectorAll("[data-chart]")].map((place) => [place, draw(place, series)]);
  addEventListener("resize", () => {
    for (const [place, chart] of charts) chart.setSize({ width: place.clientWidth, height: 190 });
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => location.reload());
}
