//! How all benches are run.

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput};

/// Many short samples, so that the median bears some disturbance; `bench-table` takes the
/// median of several runs besides.
pub(crate) fn criterion() -> Criterion {
    Criterion::default()
        .sample_size(50)
        .nresamples(10_000)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args()
}

/// Measures `work`, which handles so many bytes, as `group/bench/input`. It has to keep
/// its input from the optimizer, and to assert its answer.
pub(crate) fn measure(
    criterion: &mut Criterion,
    [group, bench, input]: [&str; 3],
    bytes: usize,
    work: impl FnMut(),
) {
    let mut group = criterion.benchmark_group(group);
    group.sampling_mode(SamplingMode::Flat);
    group.throughput(Throughput::Bytes(bytes as u64));
    let mut work = work;
    group.bench_function(BenchmarkId::new(bench, input), |bencher| {
        bencher.iter(&mut work);
    });
    group.finish();
}
