use std::time::Duration;

/// A table in Markdown, as it stands in `docs/performance.md`.
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub fn new(title: &str, header: &[&str]) -> Self {
        println!("\n### {title}\n");
        Self { rows: vec![header.iter().map(|&cell| cell.to_owned()).collect()] }
    }

    pub fn row<const N: usize>(&mut self, cells: [String; N]) {
        eprintln!("  {}", cells.join(" · "));
        self.rows.push(cells.into());
    }

    pub fn print(self) {
        for (index, row) in self.rows.iter().enumerate() {
            println!("| {} |", row.join(" | "));
            if index == 0 {
                println!("|{}", "---|".repeat(row.len()));
            }
        }
    }
}

/// `12.3 ms`, with three figures.
pub fn millis(duration: Duration) -> String {
    format!("{} ms", figures(duration.as_secs_f64() * 1e3))
}

/// Megabytes of 10^6 bytes.
pub fn megabytes(bytes: u64) -> String {
    #[allow(clippy::cast_precision_loss, reason = "three figures are printed")]
    let bytes = bytes as f64;
    format!("{} MB", figures(bytes / 1e6))
}

/// How many times `ours` fits into `theirs`.
pub fn ratio(theirs: Duration, ours: Duration) -> String {
    format!("{}×", figures(theirs.as_secs_f64() / ours.as_secs_f64()))
}

/// Three figures that count.
pub fn figures(value: f64) -> String {
    match value {
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}
