//! Powers and logarithms of 64-bit floats, bit for bit as Go's math package has them on x86-64.

/// Go multiplies the mantissas of repeated squares, and takes the exponents apart from them.
pub fn power(x: f64, y: f64) -> f64 {
    if y == 0.0 || x == 1.0 {
        return 1.0;
    }
    if y == 1.0 {
        return x;
    }
    if y == 0.5 {
        return x.sqrt();
    }
    if y == -0.5 {
        return 1.0 / x.sqrt();
    }
    if x == 0.0 || !x.is_finite() || !y.is_finite() {
        return x.powf(y);
    }
    let (mut whole, mut part) = (y.abs().trunc(), y.abs().fract());
    if part != 0.0 && x < 0.0 {
        return f64::NAN;
    }
    if whole >= 9.223372036854775808e18 {
        return x.powf(y);
    }
    let mut result = 1.0;
    if part != 0.0 {
        if part > 0.5 {
            part -= 1.0;
            whole += 1.0;
        }
        result = exponential(part * logarithm(x));
    }
    let mut exponent = 0i64;
    let (mut square, mut square_exponent) = split(x);
    let mut bits = whole as i64;
    while bits != 0 {
        if !(-4096..=4096).contains(&square_exponent) {
            exponent += square_exponent;
            break;
        }
        if bits & 1 == 1 {
            result *= square;
            exponent += square_exponent;
        }
        square *= square;
        square_exponent <<= 1;
        if square < 0.5 {
            square += square;
            square_exponent -= 1;
        }
        bits >>= 1;
    }
    if y < 0.0 {
        result = 1.0 / result;
        exponent = -exponent;
    }
    join(result, exponent)
}

/// The natural logarithm, by the polynomial of FreeBSD's library.
pub fn logarithm(x: f64) -> f64 {
    if x.is_nan() || x == f64::INFINITY || x <= 0.0 {
        return x.ln();
    }
    const LN2_HIGH: f64 = 6.93147180369123816490e-01;
    const LN2_LOW: f64 = 1.90821492927058770002e-10;
    const L: [f64; 7] = [
        6.666666666666735130e-01,
        3.999999999940941908e-01,
        2.857142874366239149e-01,
        2.222219843214978396e-01,
        1.818357216161805012e-01,
        1.531383769920937332e-01,
        1.479819860511658591e-01,
    ];
    let (mut mantissa, mut exponent) = split(x);
    if mantissa < std::f64::consts::SQRT_2 / 2.0 {
        mantissa *= 2.0;
        exponent -= 1;
    }
    let f = mantissa - 1.0;
    let k = exponent as f64;
    let s = f / (2.0 + f);
    let s2 = s * s;
    let s4 = s2 * s2;
    let odd = s2 * (L[0] + s4 * (L[2] + s4 * (L[4] + s4 * L[6])));
    let even = s4 * (L[1] + s4 * (L[3] + s4 * L[5]));
    let half_square = 0.5 * f * f;
    k * LN2_HIGH - ((half_square - (s * (half_square + odd + even) + k * LN2_LOW)) - f)
}

/// e to the power of `x`: the series at a sixteenth of the rest, squared four times.
fn exponential(x: f64) -> f64 {
    const LN2_HIGH: f64 = 0.69314718055966295651160180568695068359375;
    const LN2_LOW: f64 = 0.28235290563031577122588448175013436025525412068e-12;
    if x > 709.782712893384 {
        return f64::INFINITY;
    }
    if x < -745.2 {
        return 0.0;
    }
    let k = (x * std::f64::consts::LOG2_E).round_ties_even();
    let rest = (-k).mul_add(LN2_LOW, (-k).mul_add(LN2_HIGH, x)) * 0.0625;
    let series = [5040.0, 720.0, 120.0, 24.0, 6.0, 2.0, 1.0];
    let sum = series.iter().fold(1.0 / 40320.0, |sum: f64, n| sum.mul_add(rest, 1.0 / n));
    let mut less_one = rest * sum;
    for _ in 0..3 {
        less_one *= less_one + 2.0;
    }
    join(less_one.mul_add(less_one + 2.0, 1.0), k as i64)
}

/// ± 0.5 to 1, and a power of two.
fn split(x: f64) -> (f64, i64) {
    if x == 0.0 || !x.is_finite() {
        return (x, 0);
    }
    let bits = x.to_bits();
    match (bits >> 52) as i64 & 0x7ff {
        0 => {
            let (mantissa, exponent) = split(x * 2f64.powi(64));
            (mantissa, exponent - 64)
        }
        biased => (f64::from_bits(bits & !(0x7ff << 52) | 1022 << 52), biased - 1022),
    }
}

/// The other way round, rounded once.
fn join(mantissa: f64, exponent: i64) -> f64 {
    let (mantissa, more) = split(mantissa);
    let exponent = exponent + more;
    match exponent {
        1025.. => mantissa * f64::INFINITY,
        -1021..=1024 => mantissa * 2.0 * 2f64.powi((exponent - 1) as i32),
        -1100..=-1022 => mantissa * 2f64.powi(-1000) * 2f64.powi((exponent + 1000) as i32),
        _ => 0.0 * mantissa,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_of_whole_numbers_and_roots_are_close_to_the_standard_librarys() {
        for (x, y) in [
            (2.0, 10.0),
            (2.0, -1074.0),
            (1.5, 2.5),
            (10.0, 308.0),
            (7.0, -3.25),
            (1e-300, 0.3),
            (2.0, 1023.0),
        ] {
            let (ours, std) = (power(x, y), x.powf(y));
            assert!((ours - std).abs() <= std.abs() * 1e-14, "{x} ^ {y}: {ours} or {std}");
            assert!((logarithm(x) - x.ln()).abs() <= x.ln().abs() * 1e-15);
        }
        assert_eq!(
            (power(0.0, -1.0), power(2.0, 2000.0), power(-2.0, 3.0)),
            (f64::INFINITY, f64::INFINITY, -8.0)
        );
        assert!(power(-8.0, 1.0 / 3.0).is_nan());
    }
}
