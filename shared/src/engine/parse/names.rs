//! What layer names and metadata tell: fused operators and the optimisation profile.

/// Most operators kept of one layer.
const FUSED: usize = 1_024;
/// Deepest nest of pointwise operators taken apart; each level reads what is inside it once more.
const NESTING: usize = 32;

/// The optimisation profile that a name ends in (`conv1 [profile 1]`), and the name without it.
pub(super) fn profile(name: &str) -> (&str, Option<usize>) {
    let suffix = name.strip_suffix(']').and_then(|rest| rest.rsplit_once("[profile "));
    match suffix.and_then(|(base, number)| Some((base.trim_end(), number.trim().parse().ok()?))) {
        Some((base, number)) => (base, Some(number)),
        None => (name, None),
    }
}

/// The operators fused into a layer: from its metadata where TensorRT wrote them, else from its name.
pub(super) fn fused(name: &str, metadata: &str) -> Vec<String> {
    let from_metadata: Vec<String> = metadata
        .split(['\u{1e}', '\u{1f}'])
        .map(|part| {
            let part = part.trim();
            let inner = part.strip_prefix('[').and_then(|p| p.strip_suffix(']'));
            inner.and_then(|p| p.split_once("Layer:")).map_or(part, |(_, operator)| operator).trim()
        })
        .filter(|operator| !operator.is_empty())
        .take(FUSED)
        .map(str::to_owned)
        .collect();
    if from_metadata.is_empty() { from_name(profile(name).0) } else { from_metadata }
}

/// `a + b + PWN(c, PWN(d))` is `[a, b, c, d]`. Copies that TensorRT adds and kernels that it names itself hold no
/// operator of the model.
fn from_name(name: &str) -> Vec<String> {
    const ADDED: [&str; 5] = ["Reformatting CopyNode", "Forced Cast", "__my", "dummy_shape_call", "[trainStation"];
    if ADDED.iter().any(|prefix| name.starts_with(prefix)) {
        return Vec::new();
    }
    let mut operators = Vec::new();
    let mut pending = vec![(without_myelin_suffix(name), 0)];
    while let Some((part, nesting)) = pending.pop() {
        let part = part.trim();
        let pieces = split(part);
        if let [_] = pieces[..] {
            match wrapped(part) {
                Some(inner) if nesting < NESTING => pending.push((inner, nesting + 1)),
                _ if !part.is_empty() => operators.push(part.to_owned()),
                _ => {}
            }
        } else {
            pending.extend(pieces.into_iter().rev().map(|piece| (piece, nesting)));
        }
        if operators.len() == FUSED {
            break;
        }
    }
    operators
}

/// What stands in `PWN(…)` or `{ForeignNode[…]}`.
fn wrapped(part: &str) -> Option<&str> {
    let pointwise = part.strip_prefix("PWN(").and_then(|p| p.strip_suffix(')'));
    pointwise.or_else(|| part.strip_prefix("{ForeignNode[").and_then(|p| p.strip_suffix("]}")))
}

/// The parts between ` + `, ` || ` (convolutions of one input that run as one) and `, ` that stand outside brackets.
fn split(text: &str) -> Vec<&str> {
    let bytes = text.as_bytes();
    let (mut parts, mut start, mut depth) = (Vec::new(), 0, 0_usize);
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        let separator = match bytes[at] {
            b' ' if depth == 0 && rest.starts_with(b" + ") => 3,
            b' ' if depth == 0 && rest.starts_with(b" || ") => 4,
            b',' if depth == 0 && rest.starts_with(b", ") => 2,
            _ => 0,
        };
        match bytes[at] {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if separator > 0 {
            parts.push(&text[start..at]);
            at += separator;
            start = at;
        } else {
            at += 1;
        }
    }
    parts.push(&text[start..]);
    parts
}

/// Myelin ends the names of its kernels in `_myl9_2`.
fn without_myelin_suffix(name: &str) -> &str {
    match name.rsplit_once("_myl") {
        Some((base, tail)) if !tail.is_empty() && tail.bytes().all(|b| b.is_ascii_digit() || b == b'_') => base,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_is_read_off_the_name() {
        assert_eq!(profile("conv1 + relu1 [profile 1]"), ("conv1 + relu1", Some(1)));
        assert_eq!(profile("(Unnamed Layer* 3) [Scale]"), ("(Unnamed Layer* 3) [Scale]", None));
        assert_eq!(profile("x [profile one]"), ("x [profile one]", None));
    }

    #[test]
    fn metadata_wins_over_the_name() {
        assert_eq!(
            fused("a + b", "[ONNX Layer: /c/Conv]\u{1e}[ONNX Layer: /d/Relu]\u{1f}[ONNX Layer: e]"),
            ["/c/Conv", "/d/Relu", "e"]
        );
        assert_eq!(fused("a + b", ""), ["a", "b"]);
    }

    #[test]
    fn pointwise_nests_are_flattened_in_order() {
        assert_eq!(fused("w + Conv_12 + PWN(Clip_16)", ""), ["w", "Conv_12", "Clip_16"]);
        assert_eq!(fused("a/Conv + a/Relu || b/Conv", ""), ["a/Conv", "a/Relu", "b/Conv"]);
        assert_eq!(
            fused(
                "PWN(/a/rhs + /a/shape, PWN(PWN(/b/rhs, [ELEMENTWISE]-[aten.clamp]-[/b])), PWN([S]-[x] + [E]-[y]))",
                ""
            ),
            ["/a/rhs", "/a/shape", "/b/rhs", "[ELEMENTWISE]-[aten.clamp]-[/b]", "[S]-[x]", "[E]-[y]"]
        );
    }

    #[test]
    fn names_that_tensorrt_makes_up_hold_no_operator() {
        assert_eq!(fused("Reformatting CopyNode for Input Tensor 0 to a + b", ""), [""; 0]);
        assert_eq!(fused("__myl_MulSum_myl4_1", ""), [""; 0]);
        assert_eq!(fused("/fc/Gemm_myl9_2", ""), ["/fc/Gemm"]);
        assert_eq!(fused("{ForeignNode[/a/Reshape.../b/Softmax]}", ""), ["/a/Reshape.../b/Softmax"]);
        assert_eq!(
            fused("conv1 + (Unnamed Layer* 25) [ElementWise] [profile 1]", ""),
            ["conv1", "(Unnamed Layer* 25) [ElementWise]"]
        );
    }

    #[test]
    fn brackets_that_do_not_match_do_no_harm() {
        assert_eq!(fused("a) + b] + (c + d", ""), ["a)", "b]", "(c + d"]);
        assert_eq!(fused("PWN(", ""), ["PWN("]);
    }
}
