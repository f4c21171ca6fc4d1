//! Operators that move, pick, join and repeat elements: shapes, and values where they are constant and few.

use super::call::{Call, Outcome, one, picked};
use super::fact::{Fact, axis, broadcast, elements, positions, strided};
use crate::read::{Element, Numbers};
use shared::limits;
use std::rc::Rc;

/// The same elements in the same order under another shape.
fn viewed(input: &Fact, dims: Vec<i64>) -> Outcome {
    let mut output = Fact::new(dims, input.element);
    output.value.clone_from(&input.value);
    Ok(Some(vec![output]))
}

pub(crate) fn view(call: &Call<'_>) -> Outcome {
    match call.node.operator.as_str() {
        "Reshape" => reshape(call),
        "Flatten" => {
            let input = call.first()?;
            let rank = input.dims.len();
            let at = call.node.int("axis").unwrap_or(1);
            let at = if at == rank as i64 { rank } else { axis(at, rank)? };
            let side = |dims: &[i64]| i64::try_from(elements(dims)).unwrap_or(i64::MAX);
            viewed(input, vec![side(&input.dims[..at]), side(&input.dims[at..])])
        }
        "Squeeze" => {
            let input = call.first()?;
            let Some(axes) = call.list("axes", 1) else { return Ok(None) };
            let rank = input.dims.len();
            let dropped: Vec<usize> = match axes {
                Some(axes) => axes.into_iter().map(|a| axis(a, rank)).collect::<Result<_, _>>()?,
                None => (0..rank).filter(|&position| input.dims[position] == 1).collect(),
            };
            if let Some(&wrong) = dropped.iter().find(|&&position| input.dims[position] != 1) {
                return Err(format!("drops axis {wrong} of the shape {:?}", input.dims));
            }
            let kept = (0..rank).filter(|position| !dropped.contains(position)).map(|position| input.dims[position]);
            viewed(input, kept.collect())
        }
        _ => {
            let input = call.first()?;
            let Some(Some(axes)) = call.list("axes", 1) else { return Ok(None) };
            let rank = input.dims.len() + axes.len();
            if rank > limits::TENSOR_DIMENSIONS {
                return Err(format!("makes a tensor of {rank} dimensions"));
            }
            let mut added: Vec<usize> = axes.into_iter().map(|a| axis(a, rank)).collect::<Result<_, _>>()?;
            added.sort_unstable();
            let mut dims = input.dims.clone();
            for position in added {
                if position > dims.len() {
                    return Err("names an axis twice".into());
                }
                dims.insert(position, 1);
            }
            viewed(input, dims)
        }
    }
}

fn reshape(call: &Call<'_>) -> Outcome {
    let input = call.first()?;
    let Some(Some(mut target)) = call.list("shape", 1) else { return Ok(None) };
    if target.len() > limits::TENSOR_DIMENSIONS {
        return Err(format!("makes a tensor of {} dimensions", target.len()));
    }
    let keeps_zero = call.node.int("allowzero") == Some(1);
    for (position, dim) in target.iter_mut().enumerate() {
        if *dim == 0 && !keeps_zero {
            *dim = *input.dims.get(position).ok_or("copies an extent that its input does not have")?;
        }
    }
    let total = input.elements();
    let fits = |target: &[i64]| {
        let open = target.iter().filter(|&&dim| dim == -1).count();
        let rest = elements(&target.iter().copied().filter(|&dim| dim != -1).collect::<Vec<_>>());
        match open {
            0 => (rest == total).then(|| target.to_vec()),
            1 if rest > 0 && total.is_multiple_of(rest) => {
                let open = i64::try_from(total / rest).ok()?;
                Some(target.iter().map(|&dim| if dim == -1 { open } else { dim }).collect())
            }
            _ => None,
        }
    };
    if target.iter().any(|&dim| dim < -1) {
        return Err(format!("makes the shape {target:?}"));
    }
    // A file that was exported for one batch size writes it into its shapes. Where another one is asked for, the outermost
    // extent is that of the batch, even if the elements would also fit with the -1 elsewhere.
    if let Some((exported, wanted)) = call.batch
        && target.first() == Some(&exported)
        && input.dims.first() == Some(&wanted)
        && !input.constant
    {
        let mut scaled = target.clone();
        scaled[0] = wanted;
        if let Some(dims) = fits(&scaled) {
            return viewed(input, dims);
        }
    }
    match fits(&target) {
        Some(dims) => viewed(input, dims),
        None => Err(format!("makes {target:?} of {:?}, which has {total} elements", input.dims)),
    }
}

pub(crate) fn transpose(call: &Call<'_>) -> Outcome {
    let input = call.first()?;
    let rank = input.dims.len();
    if call.node.operator != "Transpose" {
        return blocks(call);
    }
    let order: Vec<usize> = match call.node.ints("perm") {
        Some(order) => order.iter().map(|&a| axis(a, rank)).collect::<Result<_, _>>()?,
        None => (0..rank).rev().collect(),
    };
    let mut seen = vec![false; rank];
    for &position in &order {
        seen[position] = true;
    }
    if order.len() != rank || seen.contains(&false) {
        return Err(format!("orders the axes of {:?} as {order:?}", input.dims));
    }
    let dims: Vec<i64> = order.iter().map(|&position| input.dims[position]).collect();
    let mut output = Fact::new(dims.clone(), input.element);
    let count = elements(&dims);
    output.value = picked(
        input,
        || {
            let mut steps = vec![1_usize; rank];
            for position in (0..rank.saturating_sub(1)).rev() {
                steps[position] =
                    steps[position + 1].saturating_mul(usize::try_from(input.dims[position + 1]).unwrap_or(0));
            }
            let strides: Vec<usize> = order.iter().map(|&position| steps[position]).collect();
            strided(&dims, &strides, 0, count as usize)
        },
        count,
    );
    Ok(Some(vec![output]))
}

fn blocks(call: &Call<'_>) -> Outcome {
    let input = call.first()?;
    let [batch, channels, height, width] = input.dims[..] else {
        return Err(format!("needs an image, not the shape {:?}", input.dims));
    };
    let block = call.node.int("blocksize").filter(|&b| b > 0 && b < 1 << 15).ok_or("has no valid `blocksize`")?;
    let area = block * block;
    let dims = if call.node.operator == "DepthToSpace" {
        if channels % area != 0 {
            return Err(format!("takes blocks of {block} from {channels} channels"));
        }
        vec![batch, channels / area, height.saturating_mul(block), width.saturating_mul(block)]
    } else {
        if height % block != 0 || width % block != 0 {
            return Err(format!("takes blocks of {block} from {height} × {width}"));
        }
        vec![batch, channels.saturating_mul(area), height / block, width / block]
    };
    one(dims, input.element)
}

pub(crate) fn concat(call: &Call<'_>) -> Outcome {
    let first = call.first()?;
    let at = axis(call.node.int("axis").unwrap_or(1), first.dims.len())?;
    let mut dims = first.dims.clone();
    for input in call.inputs.iter().skip(1) {
        let input = input.ok_or("leaves out an input")?;
        if input.dims.len() != dims.len() || (0..dims.len()).any(|i| i != at && dims[i] != input.dims[i]) {
            return Err(format!("joins {:?} and {:?} along axis {at}", first.dims, input.dims));
        }
        dims[at] = dims[at].saturating_add(input.dims[at]);
    }
    let mut output = Fact::new(dims, first.element);
    if output.elements() <= limits::GRAPH_VALUES as u64 {
        output.value = joined(call, at);
    }
    Ok(Some(vec![output]))
}

/// Values of a concatenation: for each outer position, a piece of every input.
fn joined(call: &Call<'_>, at: usize) -> Option<Rc<Numbers>> {
    let facts: Vec<&Fact> = call.inputs.iter().copied().collect::<Option<_>>()?;
    let outer = elements(&facts.first()?.dims[..at]) as usize;
    fn pieces<T: Copy>(lists: &[(Vec<T>, usize)], outer: usize) -> Option<Vec<T>> {
        let mut all = Vec::new();
        for index in 0..outer {
            for (values, piece) in lists {
                all.extend_from_slice(values.get(index * piece..(index + 1) * piece)?);
            }
        }
        Some(all)
    }
    let piece = |fact: &Fact| elements(&fact.dims[at..]) as usize;
    if facts.iter().all(|fact| matches!(fact.value.as_deref(), Some(Numbers::Ints(_)))) {
        let lists: Vec<_> = facts.iter().map(|fact| Some((fact.as_ints()?, piece(fact)))).collect::<Option<_>>()?;
        return Some(Rc::new(Numbers::Ints(pieces(&lists, outer)?)));
    }
    let lists: Vec<_> = facts.iter().map(|fact| Some((fact.as_floats()?, piece(fact)))).collect::<Option<_>>()?;
    Some(Rc::new(Numbers::Floats(pieces(&lists, outer)?)))
}

/// A range of one tensor: from where, in which steps, how many.
struct Range {
    axis: usize,
    start: i64,
    step: i64,
    count: i64,
}

/// A tensor without the elements outside ranges.
fn ranged(input: &Fact, ranges: &[Range]) -> Fact {
    let mut dims = input.dims.clone();
    for range in ranges {
        dims[range.axis] = range.count;
    }
    let mut output = Fact::new(dims.clone(), input.element);
    let count = elements(&dims);
    output.value = picked(
        input,
        || {
            let rank = dims.len();
            let mut steps = vec![1_i64; rank];
            for position in (0..rank.saturating_sub(1)).rev() {
                steps[position] = steps[position + 1].saturating_mul(input.dims[position + 1]);
            }
            let mut start = 0_i64;
            let mut strides = steps.clone();
            for range in ranges {
                start = start.wrapping_add(range.start.wrapping_mul(steps[range.axis]));
                strides[range.axis] = steps[range.axis].wrapping_mul(range.step);
            }
            let strides: Vec<usize> = strides.into_iter().map(|stride| stride as usize).collect();
            strided(&dims, &strides, start as usize, count as usize)
        },
        count,
    );
    output
}

pub(crate) fn slice(call: &Call<'_>) -> Outcome {
    let input = call.first()?;
    let rank = input.dims.len();
    let (Some(Some(starts)), Some(Some(ends))) = (call.list("starts", 1), call.list("ends", 2)) else {
        return Ok(None);
    };
    let (Some(axes), Some(steps)) = (call.list("axes", 3), call.list("steps", 4)) else { return Ok(None) };
    let axes = axes.unwrap_or_else(|| (0..starts.len() as i64).collect());
    let steps = steps.unwrap_or_else(|| vec![1; starts.len()]);
    if ends.len() != starts.len() || axes.len() != starts.len() || steps.len() != starts.len() {
        return Err("has lists of starts, ends, axes and steps of different lengths".into());
    }
    let mut ranges: Vec<Range> = Vec::new();
    for (((&start, &end), &at), &step) in starts.iter().zip(&ends).zip(&axes).zip(&steps) {
        let at = axis(at, rank)?;
        if ranges.iter().any(|range| range.axis == at) {
            return Err("names an axis twice".into());
        }
        let extent = input.dims[at];
        let from_end = |value: i64| if value < 0 { value.saturating_add(extent) } else { value };
        let (start, count) = match step {
            0 => return Err("has a step of 0".into()),
            1.. => {
                let (start, end) = (from_end(start).clamp(0, extent), from_end(end).clamp(0, extent));
                (start, (end.saturating_sub(start).max(0).saturating_add(step - 1)) / step)
            }
            _ => {
                let start = from_end(start).clamp(-1, extent - 1);
                let end = from_end(end).clamp(-1, extent - 1);
                let back = step.saturating_neg();
                (start, start.saturating_sub(end).max(0).saturating_add(back - 1) / back)
            }
        };
        ranges.push(Range { axis: at, start, step, count });
    }
    Ok(Some(vec![ranged(input, &ranges)]))
}

pub(crate) fn split(call: &Call<'_>) -> Outcome {
    let input = call.first()?;
    let at = axis(call.node.int("axis").unwrap_or(0), input.dims.len())?;
    let Some(sizes) = call.list("split", 1) else { return Ok(None) };
    let extent = input.dims[at];
    let outputs = call.node.outputs.len().max(1) as i64;
    let sizes = match sizes {
        Some(sizes) => sizes,
        None => {
            let parts = call.node.int("num_outputs").unwrap_or(outputs).max(1);
            if parts != outputs {
                return Err(format!("splits into {parts} parts and has {outputs} outputs"));
            }
            let size = extent / parts + i64::from(extent % parts != 0);
            (0..parts).map(|part| size.min(extent - (size * part).min(extent))).collect()
        }
    };
    if sizes.len() as i64 != outputs || sizes.iter().any(|&s| s < 0) {
        return Err(format!("splits into {sizes:?} and has {outputs} outputs"));
    }
    if sizes.iter().try_fold(0_i64, |sum, &size| sum.checked_add(size)) != Some(extent) {
        return Err(format!("splits an extent of {extent} into {sizes:?}"));
    }
    let mut start = 0;
    let mut parts = Vec::new();
    for count in sizes {
        parts.push(ranged(input, &[Range { axis: at, start, step: 1, count }]));
        start += count;
    }
    Ok(Some(parts))
}

pub(crate) fn gather(call: &Call<'_>) -> Outcome {
    let input = call.first()?;
    match call.node.operator.as_str() {
        "Gather" => {
            let indices = call.required(1)?;
            let at = axis(call.node.int("axis").unwrap_or(0), input.dims.len())?;
            let mut dims = input.dims[..at].to_vec();
            dims.extend(&indices.dims);
            dims.extend(&input.dims[at + 1..]);
            let mut output = Fact::new(dims, input.element);
            if output.elements() <= limits::GRAPH_VALUES as u64
                && input.value.is_some()
                && let Some(list) = indices.as_ints()
            {
                let (outer, inner) = (elements(&input.dims[..at]) as usize, elements(&input.dims[at + 1..]) as usize);
                let extent = input.dims[at];
                let wrapped: Option<Vec<usize>> = list
                    .iter()
                    .map(|&i| {
                        usize::try_from(if i < 0 { i.saturating_add(extent) } else { i })
                            .ok()
                            .filter(|&i| (i as i64) < extent)
                    })
                    .collect();
                let wrapped = wrapped.ok_or_else(|| format!("picks element {list:?} of {extent}"))?;
                let count = output.elements();
                output.value = picked(
                    input,
                    || {
                        let at = |o: usize, i: usize, k: usize| (o * extent as usize + i) * inner + k;
                        (0..outer)
                            .flat_map(|o| wrapped.iter().flat_map(move |&i| (0..inner).map(move |k| at(o, i, k))))
                            .collect()
                    },
                    count,
                );
            }
            Ok(Some(vec![output]))
        }
        "GatherElements" => one(call.required(1)?.dims.clone(), input.element),
        "GatherND" => {
            let indices = call.required(1)?;
            let batch = usize::try_from(call.node.int("batch_dims").unwrap_or(0)).unwrap_or(0);
            let Some((&depth, outer)) = indices.dims.split_last() else {
                return Err("has an index without a shape".into());
            };
            let from = usize::try_from(depth).ok().and_then(|depth| batch.checked_add(depth));
            let rest =
                from.and_then(|from| input.dims.get(from..)).ok_or("has an index longer than its input's shape")?;
            one(outer.iter().chain(rest).copied().collect(), input.element)
        }
        "Expand" => {
            let Some(Some(target)) = call.list("shape", 1) else { return Ok(None) };
            let mut target = target;
            if let Some((exported, wanted)) = call.batch
                && target.first() == Some(&exported)
                && input.dims.len() == target.len()
                && input.dims.first() == Some(&wanted)
            {
                target[0] = wanted;
            }
            if target.len() > limits::TENSOR_DIMENSIONS || target.iter().any(|&dim| dim < 0) {
                return Err(format!("makes the shape {target:?}"));
            }
            let dims = broadcast(&input.dims, &target)?;
            let mut output = Fact::new(dims.clone(), input.element);
            let count = output.elements();
            output.value = picked(input, || positions(&input.dims, &dims), count);
            Ok(Some(vec![output]))
        }
        "Tile" => {
            let Some(Some(repeats)) = call.list("repeats", 1) else { return Ok(None) };
            if repeats.len() != input.dims.len() || repeats.iter().any(|&r| r < 0) {
                return Err(format!("repeats {:?} {repeats:?} times", input.dims));
            }
            one(input.dims.iter().zip(&repeats).map(|(&dim, &r)| dim.saturating_mul(r)).collect(), input.element)
        }
        "OneHot" => {
            let Some(depth) = call.required(1)?.as_ints().and_then(|d| d.first().copied()) else { return Ok(None) };
            let rank = input.dims.len() + 1;
            let at = axis(call.node.int("axis").unwrap_or(-1), rank)?;
            let mut dims = input.dims.clone();
            dims.insert(at, depth);
            one(dims, call.required(2)?.element)
        }
        "Compress" => Ok(None),
        // ScatterND, ScatterElements, Trilu, CumSum, ReverseSequence.
        _ => one(input.dims.clone(), input.element),
    }
}

pub(crate) fn select(call: &Call<'_>) -> Outcome {
    let input = call.first()?;
    match call.node.operator.as_str() {
        "TopK" => {
            let Some(count) = call.list("k", 1) else { return Ok(None) };
            let count = count.and_then(|k| k.first().copied()).or(call.node.int("k"));
            let Some(count) = count else { return Ok(None) };
            let mut dims = input.dims.clone();
            let at = axis(call.node.int("axis").unwrap_or(-1), dims.len())?;
            if count < 0 || count > dims[at] {
                return Err(format!("takes the {count} largest of {}", dims[at]));
            }
            dims[at] = count;
            Ok(Some(vec![Fact::new(dims.clone(), input.element), Fact::new(dims, Element::Int64)]))
        }
        "ArgMax" | "ArgMin" => {
            let mut dims = input.dims.clone();
            let at = axis(call.node.int("axis").unwrap_or(0), dims.len())?;
            if call.node.int("keepdims").unwrap_or(1) != 0 {
                dims[at] = 1;
            } else {
                dims.remove(at);
            }
            one(dims, Element::Int64)
        }
        _ => Ok(None),
    }
}

pub(crate) fn pad(call: &Call<'_>) -> Outcome {
    let input = call.first()?;
    let Some(Some(pads)) = call.list("pads", 1) else { return Ok(None) };
    let Some(axes) = call.list("\0", 3) else { return Ok(None) };
    let rank = input.dims.len();
    let axes: Vec<usize> = match axes {
        Some(axes) => axes.into_iter().map(|a| axis(a, rank)).collect::<Result<_, _>>()?,
        None => (0..rank).collect(),
    };
    if pads.len() != 2 * axes.len() {
        return Err(format!("has {} borders for {} axes", pads.len(), axes.len()));
    }
    let mut dims = input.dims.clone();
    for (index, &at) in axes.iter().enumerate() {
        dims[at] = dims[at].saturating_add(pads[index]).saturating_add(pads[index + axes.len()]);
    }
    one(dims, input.element)
}

pub(crate) fn resize(call: &Call<'_>) -> Outcome {
    let input = call.first()?;
    let rank = input.dims.len();
    let (scales_at, sizes_at) = if call.opset < 11 || call.node.operator == "Upsample" { (1, 9) } else { (2, 3) };
    let axes: Vec<usize> = match call.node.ints("axes") {
        Some(axes) => axes.iter().map(|&a| axis(a, rank)).collect::<Result<_, _>>()?,
        None => (0..rank).collect(),
    };
    let mut dims = input.dims.clone();
    if let Some(sizes) = call.input(sizes_at).filter(|fact| fact.dims != [0]) {
        let Some(mut sizes) = sizes.as_ints() else { return Ok(None) };
        if sizes.len() != axes.len() || sizes.iter().any(|&size| size < 1) {
            return Err(format!("makes the size {sizes:?} of {:?}", input.dims));
        }
        if let Some((exported, wanted)) = call.batch
            && axes.first() == Some(&0)
            && sizes.first() == Some(&exported)
            && dims.first() == Some(&wanted)
        {
            sizes[0] = wanted;
        }
        for (&at, &size) in axes.iter().zip(&sizes) {
            dims[at] = size;
        }
        return one(dims, input.element);
    }
    let scales = match (call.node.floats("scales"), call.input(scales_at)) {
        (Some(scales), _) => scales.to_vec(),
        (None, Some(fact)) => match fact.as_floats() {
            Some(scales) => scales,
            None => return Ok(None),
        },
        (None, None) => return Err("has neither sizes nor scales".into()),
    };
    if scales.len() != axes.len() || scales.iter().any(|&scale| !(scale > 0.0 && scale.is_finite())) {
        return Err(format!("scales {:?} by {scales:?}", input.dims));
    }
    for (&at, &scale) in axes.iter().zip(&scales) {
        dims[at] = (dims[at] as f64 * scale).floor().min(9e15) as i64;
    }
    one(dims, input.element)
}
