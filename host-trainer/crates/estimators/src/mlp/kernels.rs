//! Matrix products in single precision, in tiles that fit a processor's registers, and what else a training step loops over.
//!
//! Every sum is made of fused multiply-adds in one fixed order, so that the numbers are the same on every machine; one
//! without such an instruction (x86-64 before 2013) computes them in software, and slowly.

/// Columns of matrices come in multiples of this; those added hold zeros.
pub(super) const LANES: usize = 8;
/// Rows and columns of a tile.
const TILE_ROWS: usize = 4;
const TILE_COLUMNS: usize = 2 * LANES;

/// A width rounded up to whole lanes.
pub(super) fn padded(width: usize) -> usize {
    width.next_multiple_of(LANES)
}

/// Work that gains from wide vectors. `run` must be `#[inline(always)]`, as must what it calls: only what is inlined is
/// compiled for them.
pub(super) trait Work {
    /// What it leaves.
    type Output;
    /// Does it.
    fn run(self) -> Self::Output;
}

/// Does work with this machine's vectors of eight and its fused multiply-add.
pub(super) fn wide<W: Work>(work: W) -> W::Output {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx2,fma")]
        fn with_vectors<W: Work>(work: W) -> W::Output {
            work.run()
        }
        if std::is_x86_feature_detected!("avx2") && std::is_x86_feature_detected!("fma") {
            // SAFETY: the processor has the two features the function is compiled for.
            return unsafe { with_vectors(work) };
        }
    }
    work.run()
}

/// `out = a · b (+ bias)`: `a` is `rows × depth` in rows of `stride`, `b` is `depth × columns`, `out` is `rows × columns`.
/// `bias`, where there is one, is added to every row.
#[inline(always)]
pub(super) fn product(
    (a, stride): (&[f32], usize),
    b: &[f32],
    bias: Option<&[f32]>,
    (rows, depth, columns): (usize, usize, usize),
    out: &mut [f32],
) {
    let mut row = 0;
    while row < rows {
        let tall = row + TILE_ROWS <= rows;
        let mut column = 0;
        while column < columns {
            let broad = column + TILE_COLUMNS <= columns;
            let at = (row, column);
            match (tall, broad) {
                (true, true) => tile::<TILE_ROWS, TILE_COLUMNS>((a, stride), b, bias, (at, depth, columns), out),
                (true, false) => tile::<TILE_ROWS, LANES>((a, stride), b, bias, (at, depth, columns), out),
                (false, true) => tile::<1, TILE_COLUMNS>((a, stride), b, bias, (at, depth, columns), out),
                (false, false) => tile::<1, LANES>((a, stride), b, bias, (at, depth, columns), out),
            }
            column += if broad { TILE_COLUMNS } else { LANES };
        }
        row += if tall { TILE_ROWS } else { 1 };
    }
}

#[inline(always)]
fn tile<const ROWS: usize, const COLUMNS: usize>(
    (a, stride): (&[f32], usize),
    b: &[f32],
    bias: Option<&[f32]>,
    ((row, column), depth, columns): ((usize, usize), usize, usize),
    out: &mut [f32],
) {
    let start = bias.map_or([0.0; COLUMNS], |bias| array(&bias[column..]));
    let mut sums = [start; ROWS];
    let rows: [&[f32]; ROWS] = std::array::from_fn(|r| &a[(row + r) * stride..][..depth]);
    for (p, b) in b[column..].chunks(columns).take(depth).enumerate() {
        let b: [f32; COLUMNS] = array(b);
        for (sums, row) in sums.iter_mut().zip(&rows) {
            let x = row[p];
            for (sum, b) in sums.iter_mut().zip(b) {
                *sum = x.mul_add(b, *sum);
            }
        }
    }
    for (r, sums) in sums.iter().enumerate() {
        out[(row + r) * columns + column..][..COLUMNS].copy_from_slice(sums);
    }
}

/// `out = aᵀ · b`: `a` is `depth × rows` in rows of `stride`, `b` is `depth × columns`, `out` is `rows × columns`. `rows` is
/// a multiple of [`LANES`].
#[inline(always)]
pub(super) fn product_of_transposed(
    (a, stride): (&[f32], usize),
    b: &[f32],
    (rows, depth, columns): (usize, usize, usize),
    out: &mut [f32],
) {
    for row in (0..rows).step_by(TILE_ROWS) {
        let mut column = 0;
        while column < columns {
            let broad = column + TILE_COLUMNS <= columns;
            let at = (row, column);
            if broad {
                tile_of_transposed::<TILE_COLUMNS>((a, stride), b, (at, depth, columns), out);
            } else {
                tile_of_transposed::<LANES>((a, stride), b, (at, depth, columns), out);
            }
            column += if broad { TILE_COLUMNS } else { LANES };
        }
    }
}

#[inline(always)]
fn tile_of_transposed<const COLUMNS: usize>(
    (a, stride): (&[f32], usize),
    b: &[f32],
    ((row, column), depth, columns): ((usize, usize), usize, usize),
    out: &mut [f32],
) {
    let mut sums = [[0.0; COLUMNS]; TILE_ROWS];
    for (a, b) in a[row..].chunks(stride).zip(b[column..].chunks(columns)).take(depth) {
        let (a, b): ([f32; TILE_ROWS], [f32; COLUMNS]) = (array(a), array(b));
        for (sums, x) in sums.iter_mut().zip(a) {
            for (sum, b) in sums.iter_mut().zip(b) {
                *sum = x.mul_add(b, *sum);
            }
        }
    }
    for (r, sums) in sums.iter().enumerate() {
        out[(row + r) * columns + column..][..COLUMNS].copy_from_slice(sums);
    }
}

/// The first elements of a slice.
#[inline(always)]
fn array<const N: usize>(values: &[f32]) -> [f32; N] {
    let mut array = [0.0; N];
    array.copy_from_slice(&values[..N]);
    array
}

/// `out = aᵀ` of a matrix of `rows × columns`.
#[inline(always)]
pub(super) fn transpose(a: &[f32], (rows, columns): (usize, usize), out: &mut [f32]) {
    for (i, row) in a.chunks_exact(columns).take(rows).enumerate() {
        for (j, value) in row.iter().enumerate() {
            out[j * rows + i] = *value;
        }
    }
}

/// Sum of squares.
#[inline(always)]
pub(super) fn sum_of_squares(values: &[f32]) -> f32 {
    let mut lanes = [0.0_f32; LANES];
    for chunk in values.chunks_exact(LANES) {
        for (lane, x) in lanes.iter_mut().zip(chunk) {
            *lane = x.mul_add(*x, *lane);
        }
    }
    lanes.iter().sum()
}

/// The factors of one Adam step.
#[derive(Debug, Clone, Copy)]
pub(super) struct AdamStep {
    pub(super) beta1: f32,
    pub(super) beta2: f32,
    /// Learning rate over the first moment's bias correction.
    pub(super) rate: f32,
    /// One over the root of the second moment's bias correction.
    pub(super) correction: f32,
    pub(super) weight_decay: f32,
    /// By what gradients are multiplied first: below one where they are clipped.
    pub(super) clip: f32,
}

/// Keeps the quotient finite, as every implementation of Adam does.
const EPSILON: f32 = 1e-8;

/// One step of Adam (Kingma and Ba, 2015, arXiv 1412.6980, algorithm 1), the decay added to the gradient.
#[inline(always)]
pub(super) fn adam(weights: &mut [f32], gradients: &[f32], first: &mut [f32], second: &mut [f32], step: AdamStep) {
    let moments = first.iter_mut().zip(second);
    for ((weight, gradient), (first, second)) in weights.iter_mut().zip(gradients).zip(moments) {
        let gradient = step.weight_decay.mul_add(*weight, gradient * step.clip);
        *first = step.beta1.mul_add(*first, (1.0 - step.beta1) * gradient);
        *second = step.beta2.mul_add(*second, (1.0 - step.beta2) * gradient * gradient);
        *weight -= step.rate * *first / second.sqrt().mul_add(step.correction, EPSILON);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix(rows: usize, columns: usize, seed: f32) -> Vec<f32> {
        (0..rows * columns).map(|i| (i as f32 * 0.7 + seed).sin()).collect()
    }

    #[test]
    fn products_are_those_of_the_definition_whatever_the_tiles() {
        for (rows, depth, columns) in [(1, 1, 8), (5, 3, 8), (4, 9, 16), (7, 16, 24), (13, 5, 40)] {
            let (a, b, bias) = (matrix(rows, depth + 2, 0.1), matrix(depth, columns, 0.5), matrix(1, columns, 0.9));
            let mut out = vec![f32::NAN; rows * columns];
            product((&a, depth + 2), &b, Some(&bias), (rows, depth, columns), &mut out);
            let transposed_rows = padded(depth);
            let wide_a = matrix(rows, transposed_rows, 0.3);
            let c = matrix(rows, columns, 0.2);
            let mut turned = vec![f32::NAN; transposed_rows * columns];
            product_of_transposed((&wide_a, transposed_rows), &c, (transposed_rows, rows, columns), &mut turned);
            for j in 0..columns {
                for i in 0..rows {
                    let sum: f32 = (0..depth).map(|p| a[i * (depth + 2) + p] * b[p * columns + j]).sum();
                    assert!((out[i * columns + j] - sum - bias[j]).abs() < 1e-5);
                }
                for i in 0..transposed_rows {
                    let sum: f32 = (0..rows).map(|p| wide_a[p * transposed_rows + i] * c[p * columns + j]).sum();
                    assert!((turned[i * columns + j] - sum).abs() < 1e-5);
                }
            }
        }
    }

    #[test]
    fn wide_vectors_give_the_same_bits() {
        struct Product(Vec<f32>, Vec<f32>);
        impl Work for Product {
            type Output = Vec<f32>;
            #[inline(always)]
            fn run(self) -> Vec<f32> {
                let mut out = vec![0.0; 6 * 24];
                product((&self.0, 10), &self.1, None, (6, 10, 24), &mut out);
                out.push(sum_of_squares(&self.1));
                out
            }
        }
        let (a, b) = (matrix(6, 10, 0.4), matrix(10, 24, 0.6));
        assert_eq!(wide(Product(a.clone(), b.clone())), Product(a, b).run());
    }

    #[test]
    fn a_transposed_matrix_is_transposed() {
        let mut out = vec![0.0; 6];
        transpose(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], (2, 3), &mut out);
        assert_eq!(out, [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
    }
}
