//! What an answer to a scrape of the operator says.

/// The sum of a metric's values over its lines that contain all of `parts`.
pub fn total(metrics: &str, name: &str, parts: &[&str]) -> f64 {
    metrics
        .lines()
        .filter(|line| line.split(['{', ' ']).next() == Some(name) && parts.iter().all(|part| line.contains(part)))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        // The sum of nothing is -0.
        .fold(0.0, |sum, value| sum + value)
}
