//! Which algorithm? All of them on one traffic trace, drawn, so that a person chooses by looking.
//!
//! `cargo run --example rate_limit_calculator -- picture.svg` writes the picture of `docs/rate-limiting.md`, and says
//! in figures what it shows and which limits would let 99.9 % of the trace pass. Put your own traffic into `trace`, and
//! your own limits into `limits`.
#![allow(clippy::arithmetic_side_effects, reason = "small numbers, all of which are written here")]

use std::{error::Error, io::Write as _, time::Duration};

use plotters::prelude::*;
use portcullis::{
    config_error::ConfigError,
    rate_limit::{
        FixedWindow, LeakyBucket, LeakyQueue, Rate, Share, SimulatedLimit, SlidingCounter, SlidingLog, Timeline,
        TokenBucket, TraceRequest, Windows, recommend, simulate,
    },
};

const SIZE: (u32, u32) = (900, 1_080);
const LENGTH: Duration = Duration::from_secs(360);
const SLICE: Duration = Duration::from_secs(5);

const ADMITTED: RGBColor = RGBColor(46, 125, 80);
const REFUSED: RGBColor = RGBColor(214, 96, 77);

fn main() -> Result<(), Box<dyn Error>> {
    let mut out = std::io::stdout();
    let trace = trace();
    let limits = limits()?;
    for limit in &limits {
        let timeline = simulate(std::slice::from_ref(limit), &trace)?;
        let (admitted, refused) = (timeline.admitted(), timeline.refused());
        let most = timeline.most_within(Duration::from_secs(60));
        writeln!(
            out,
            "{:<44} {admitted:>4} admitted, {refused:>4} refused, at most {most:>3} in a minute",
            limit.name()
        )?;
    }
    for proposal in recommend(&trace, Share::per_thousand(999)) {
        let (rate, burst) = (proposal.rate, proposal.rate.capacity());
        writeln!(
            out,
            "99.9 % would pass {rate} with a burst of {burst}: {} in the worst minute",
            proposal.worst_minute
        )?;
    }
    if let Some(path) = std::env::args().nth(1) {
        std::fs::write(&path, draw(&limits, &trace)?)?;
        writeln!(out, "drawn to {path}")?;
    }
    Ok(())
}

/// A request every two seconds throughout; sixty just before a minute ends, and sixty just after; a minute of two
/// requests a second; and eighty at once.
fn trace() -> Vec<TraceRequest> {
    let millis = |millis: u64| TraceRequest::at(Duration::from_millis(millis));
    let steady = (0..180).map(|number| millis(number * 2_000));
    let edge =
        (0..60).map(|number| millis(117_000 + number * 50)).chain((0..60).map(|number| millis(120_000 + number * 50)));
    let busy = (0..120).map(|number| millis(200_000 + number * 500));
    let burst = (0..80).map(|number| millis(310_000 + number * 10));
    let mut trace: Vec<_> = steady.chain(edge).chain(busy).chain(burst).collect();
    trace.sort_by_key(TraceRequest::after);
    trace
}

/// Sixty a minute in every form that there is.
fn limits() -> Result<Vec<SimulatedLimit>, ConfigError> {
    let rate = Rate::per_minute(60);
    Ok(vec![
        SimulatedLimit::new("Token bucket, burst 60", TokenBucket::new(rate)?),
        SimulatedLimit::new("Token bucket, burst 10", TokenBucket::new(rate.burst(10))?),
        SimulatedLimit::new("Leaky bucket (meter), size 20", LeakyBucket::new(rate.burst(20))?),
        SimulatedLimit::new(
            "Leaky bucket (queue), 20 wait at most 20 s",
            LeakyQueue::new(rate, 20, Duration::from_secs(20))?,
        ),
        SimulatedLimit::new("Fixed window, by the clock", FixedWindow::new(rate)?),
        SimulatedLimit::new("Fixed window, from the first request", FixedWindow::new(rate)?.windows(Windows::FirstHit)),
        SimulatedLimit::new("Sliding-window counter", SlidingCounter::new(rate)?),
        SimulatedLimit::new("Sliding-window log (exact)", SlidingLog::new(rate)?),
    ])
}

/// A panel for each limit: what went ahead is green, and on top of it, red, what was refused.
fn draw(limits: &[SimulatedLimit], trace: &[TraceRequest]) -> Result<String, Box<dyn Error>> {
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        root.fill(&WHITE)?;
        let title = "60 requests a minute, by every algorithm: admitted (green) and refused (red) in each 5 s";
        let root = root.titled(title, ("sans-serif", 17))?;
        for (panel, limit) in root.split_evenly((limits.len(), 1)).iter().zip(limits) {
            let timeline = simulate(std::slice::from_ref(limit), trace)?;
            draw_panel(panel, limit.name(), &timeline)?;
        }
        root.present()?;
    }
    Ok(svg)
}

fn draw_panel(
    panel: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
    name: &str,
    timeline: &Timeline,
) -> Result<(), Box<dyn Error>> {
    let summary = format!("{name}: {} admitted, {} refused", timeline.admitted(), timeline.refused());
    let mut chart = ChartBuilder::on(panel)
        .margin_left(8)
        .margin_right(16)
        .caption(summary, ("sans-serif", 14))
        .x_label_area_size(18)
        .y_label_area_size(36)
        .build_cartesian_2d(0..i64::try_from(LENGTH.as_secs())?, 0_u32..90)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .x_labels(13)
        .y_labels(4)
        .x_label_formatter(&|second| format!("{}:{:02}", second / 60, second % 60))
        .label_style(("sans-serif", 11))
        .draw()?;
    let (mut all, mut admitted) = (Vec::new(), Vec::new());
    for slice in timeline.slices(SLICE) {
        let begins = i64::try_from(slice.begins.as_secs())?;
        let ends = begins + i64::try_from(SLICE.as_secs())?;
        let went = u32::try_from(slice.admitted)?;
        let refused = u32::try_from(slice.refused)?;
        admitted.extend([(begins, went), (ends, went)]);
        all.extend([(begins, went + refused), (ends, went + refused)]);
    }
    chart.draw_series(AreaSeries::new(all, 0, REFUSED))?;
    chart.draw_series(AreaSeries::new(admitted, 0, ADMITTED))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every tag is closed, in the order in which they were opened.
    fn assert_well_formed(svg: &str) {
        let mut open = Vec::new();
        for tag in svg.split('<').skip(1) {
            let (tag, _) = tag.split_once('>').unwrap();
            assert!(tag.matches('"').count() % 2 == 0, "{tag}");
            if let Some(name) = tag.strip_prefix('/') {
                assert_eq!(open.pop(), Some(name.trim()), "{tag}");
            } else if !tag.ends_with('/') && !tag.starts_with(['?', '!']) {
                open.push(tag.split_whitespace().next().unwrap());
            }
        }
        assert!(open.is_empty(), "{open:?}");
    }

    #[test]
    fn the_picture_is_well_formed_and_shows_every_algorithm() {
        let limits = limits().unwrap();
        let svg = draw(&limits, &trace()).unwrap();
        assert!(svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>"), "{svg:.100}");
        assert_well_formed(&svg);
        for limit in &limits {
            assert!(svg.contains(limit.name()), "{}", limit.name());
        }
        assert_eq!(svg.matches("#D6604D").count(), limits.len(), "an area of what was refused for each");
    }

    /// The picture in the documentation is the one that this program draws.
    #[test]
    fn the_committed_picture_is_this_one() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/images/rate-limit-algorithms.svg");
        let drawn = draw(&limits().unwrap(), &trace()).unwrap();
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(path, &drawn).unwrap();
        }
        let committed = std::fs::read_to_string(path).unwrap();
        assert!(committed == drawn, "run `UPDATE_DOCS=1 cargo test --example rate_limit_calculator`");
    }
}
