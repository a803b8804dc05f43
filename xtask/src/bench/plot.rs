//! Plots of docs/BENCHMARKS.md: the rate and the memory against something that grows.

use std::path::Path;

use anyhow::{Context, anyhow};
use plotters::prelude::*;

use super::{figures::Figures, statistics::Spread};

const SIZE: (u32, u32) = (640, 320);
const RATE: RGBColor = RGBColor(31, 95, 170);
const MEMORY: RGBColor = RGBColor(196, 98, 16);

/// One plot of the section `growth`: the cases whose names begin with its own.
pub(crate) struct Plot {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    /// What the points are.
    pub(crate) points: &'static str,
}

impl Plot {
    /// The plot as SVG, the medians of each point.
    pub(crate) fn draw(&self, figures: &Figures) -> anyhow::Result<String> {
        let prefix = format!("{} ", self.name);
        let cases = figures.cases("steady_k_per_s").into_iter();
        let cases: Vec<_> = cases.filter(|case| case.starts_with(&prefix)).collect();
        let curve = |measure: &str| -> Option<Vec<f64>> {
            let median =
                |case: &&str| figures.spread(case, measure).map(|Spread { median, .. }| median);
            cases.iter().map(median).collect()
        };
        let rates = curve("steady_k_per_s").context("every point has a rate")?;
        let memory = curve("peak_mib").context("every point has a memory")?;
        let labels: Vec<_> = cases.iter().map(|case| case[prefix.len()..].to_owned()).collect();
        let mut svg = String::new();
        self.draw_curves(&mut svg, &labels, &rates, &memory)
            .map_err(|error| anyhow!("{}: {error}", self.name))?;
        Ok(svg)
    }

    fn draw_curves(
        &self,
        svg: &mut String,
        labels: &[String],
        rates: &[f64],
        memory: &[f64],
    ) -> Result<(), Box<dyn std::error::Error + '_>> {
        let top = |curve: &[f64]| curve.iter().copied().fold(1.0, f64::max) * 1.1;
        let last = labels.len().saturating_sub(1) as f64;
        let area = SVGBackend::with_string(svg, SIZE).into_drawing_area();
        area.fill(&WHITE).map_err(|e| e.to_string())?;
        let mut chart = ChartBuilder::on(&area)
            .caption(self.title, ("sans-serif", 16))
            .margin(8)
            .x_label_area_size(36)
            .y_label_area_size(48)
            .right_y_label_area_size(48)
            .build_cartesian_2d(-0.3..last + 0.3, 0.0..top(rates))
            .map_err(|e| e.to_string())?
            .set_secondary_coord(-0.3..last + 0.3, 0.0..top(memory));
        let label = |at: &f64| {
            let whole = at.round();
            let is_point = (at - whole).abs() < 1e-6 && whole >= 0.0;
            is_point.then(|| labels.get(whole as usize)).flatten().cloned().unwrap_or_default()
        };
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(TRANSPARENT)
            .x_labels(labels.len() * 2)
            .x_label_formatter(&label)
            .x_desc(self.points)
            .y_label_formatter(&|rate| format!("{rate:.0}"))
            .y_desc("thousand events/s")
            .draw()
            .map_err(|e| e.to_string())?;
        chart
            .configure_secondary_axes()
            .y_label_formatter(&|mib| format!("{mib:.0}"))
            .y_desc("MiB")
            .draw()
            .map_err(|e| e.to_string())?;
        let points = |curve: &[f64]| -> Vec<(f64, f64)> {
            curve.iter().enumerate().map(|(at, y)| (at as f64, *y)).collect()
        };
        let legend = |color: RGBColor| {
            move |(x, y)| PathElement::new(vec![(x, y), (x + 16, y)], color.stroke_width(2))
        };
        let line = LineSeries::new(points(rates), RATE.stroke_width(2)).point_size(3);
        chart.draw_series(line).map_err(|e| e.to_string())?.label("rate").legend(legend(RATE));
        let line = LineSeries::new(points(memory), MEMORY.stroke_width(2)).point_size(3);
        let drawn = chart.draw_secondary_series(line).map_err(|e| e.to_string())?;
        drawn.label("peak memory").legend(legend(MEMORY));
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::LowerLeft)
            .background_style(WHITE.mix(0.8))
            .draw()
            .map_err(|e| e.to_string())?;
        area.present().map_err(|e| e.to_string())?;
        Ok(())
    }

    /// Where the plot is, below docs/.
    pub(crate) fn path(&self) -> String {
        format!("benchmarks/{}.svg", self.name)
    }

    pub(crate) fn image(&self) -> String {
        format!("![Against {}]({})", self.name, self.path())
    }
}

/// Writes a text whose folder may be missing.
pub(crate) fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let folder = path.parent().context("a file is in a folder")?;
    std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    std::fs::write(path, text).with_context(|| path.display().to_string())
}
