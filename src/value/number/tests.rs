//! Numbers behave as Terraform's do.

use super::*;
use proptest::prelude::*;

fn n(text: &str) -> Number {
    text.parse().unwrap_or_else(|_| panic!("{text} is a number"))
}

#[test]
fn decimals_compute_as_one_expects() {
    assert_eq!(n("0.1").multiply(&n("3")).unwrap().to_string(), "0.3");
    assert_eq!(n("0.1").add(&n("0.2")).unwrap(), n("0.3"));
    assert_eq!(n("9007199254740993").add(&n("1")).unwrap().to_string(), "9007199254740994");
    assert_eq!(n("9223372036854775807").add(&n("1")).unwrap().to_string(), "9223372036854775808");
    assert_eq!(n("-9223372036854775808"), Number::from(i64::MIN));
    assert_eq!(n("9223372036854775808").negate(), Number::from(i64::MIN));
}

#[test]
fn text_round_trips_as_the_shortest_decimal() {
    for text in ["0.000001", "1.5", "-2.25", "123456789012345678901234567890", "3.14159265358979323846"] {
        assert_eq!(n(text).to_string(), text);
    }
    assert_eq!(n("1e400").to_string(), format!("1{}", "0".repeat(400)));
    assert_eq!(n("1e-400").to_string(), format!("0.{}1", "0".repeat(399)));
    assert_eq!(n("1.50").to_string(), "1.5");
}

#[test]
fn odd_spellings_of_numbers_are_as_in_terraform() {
    for (text, value) in [("+5", 5), ("5.", 5), ("1e3", 1000), ("007", 7), ("10e-1", 1)] {
        assert_eq!(n(text), Number::from(value), "{text}");
    }
    assert_eq!(n(".5"), n("0.5"));
    for text in ["", ".", "0x10", " 1", "1 ", "1e", "e5", "1.2.3", "--1", "1_000", "1e1000000", "inf"] {
        assert!(text.parse::<Number>().is_err(), "{text}");
    }
}

#[test]
fn huge_products_end_in_infinity_not_in_memory() {
    let mut x = n("1e40000");
    for _ in 0..10 {
        x = x.multiply(&x).unwrap();
    }
    assert!(!x.is_finite());
}

#[test]
fn division_by_zero_is_infinite_and_zero_by_zero_nothing() {
    assert!(!n("1").divide(&n("0")).unwrap().is_finite());
    assert_eq!(n("0").divide(&n("0")), None);
    assert_eq!(n("5").remainder(&n("0")).unwrap(), n("5"));
    assert_eq!(n("-5").remainder(&n("3")).unwrap(), n("-2"));
    assert_eq!(n("5.5").remainder(&n("2")).unwrap(), n("1.5"));
}

#[test]
fn formats_round_half_to_even_on_the_exact_value() {
    assert_eq!(n("3.14159").to_fixed(2), "3.14");
    assert_eq!(n("1.06").to_fixed(1), "1.1");
    assert_eq!(n("0.04").to_fixed(1), "0.0");
    assert_eq!(n("0.06").to_fixed(1), "0.1");
    assert_eq!(n("999.96").to_fixed(1), "1000.0");
    assert_eq!(n("10").to_fixed(6), "10.000000");
    assert_eq!(n("1000").to_scientific(Some(6)), "1.000000e+03");
    assert_eq!(n("0").to_scientific(Some(2)), "0.00e+00");
    assert_eq!(n("1e-23").to_general(None), "1e-23");
    assert_eq!(n("1000").to_general(None), "1000");
    assert_eq!(n("1234567").to_general(Some(3)), "1.23e+06");
}

#[test]
fn a_float_whose_shortest_decimal_is_long_reads_back() {
    let f = 1.4321903532036197e197;
    let number = Number::from_f64(f).unwrap();
    assert_eq!(number.to_string().parse::<f64>().unwrap(), f);
    let wide = number.add(&Number::from(0)).unwrap();
    assert_eq!(wide.to_string().parse::<Number>().unwrap(), number);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_sum_and_difference_agree_with_whole_numbers(a in any::<i64>(), b in any::<i64>()) {
        let (x, y) = (Number::from(a), Number::from(b));
        let sum = x.add(&y).unwrap();
        prop_assert_eq!(sum.to_string(), (a as i128 + b as i128).to_string());
        prop_assert_eq!(sum.subtract(&y).unwrap(), x.clone());
        prop_assert_eq!(x.cmp(&y), a.cmp(&b));
        let product = x.multiply(&y).unwrap().to_string();
        prop_assert_eq!(product, (a as i128 * b as i128).to_string());
    }

    #[test]
    fn any_float_prints_and_reads_back(f in any::<f64>()) {
        prop_assume!(f.is_finite());
        let number = Number::from_f64(f).unwrap();
        prop_assert_eq!(number.to_f64(), f);
        prop_assert_eq!(number.to_string().parse::<f64>().unwrap(), f);
        let wide = number.add(&Number::from(0)).unwrap();
        prop_assert_eq!(wide.to_string().parse::<Number>().unwrap(), number);
    }

    #[test]
    fn order_is_that_of_floats(a in any::<f64>(), b in any::<f64>()) {
        prop_assume!(a.is_finite() && b.is_finite());
        let (x, y) = (Number::from_f64(a).unwrap(), Number::from_f64(b).unwrap());
        prop_assert_eq!(x.cmp(&y), a.partial_cmp(&b).unwrap());
    }
}
