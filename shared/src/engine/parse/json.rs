//! A layer's JSON, read once and looked at: texts are borrowed from the document where they stand in it as they are, and of an object
//! only the members that are looked at are kept ([`Field`]), in the order written. The others are skipped as they stand.

use serde::de::{Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};
use std::borrow::Cow;
use std::fmt;

macro_rules! fields {
    ($($field:ident = $name:literal,)+) => {
        /// The name of a member that is looked at, of a layer, a tensor, or weights.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Field {
            $($field,)+
        }

        impl Field {
            /// The name as it stands in the document.
            pub(super) fn name(self) -> &'static str {
                match self {
                    $(Self::$field => $name,)+
                }
            }

            /// The member of that name; none for one that is not looked at.
            pub(super) fn of(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$field),)+
                    _ => None,
                }
            }
        }
    };
}

fields! {
    Name = "Name",
    LayerType = "LayerType",
    ParameterType = "ParameterType",
    Inputs = "Inputs",
    Outputs = "Outputs",
    Dimensions = "Dimensions",
    Format = "Format/Datatype",
    Type = "Type",
    Count = "Count",
    Kernel = "Kernel",
    WindowSize = "WindowSize",
    Stride = "Stride",
    PrePadding = "PrePadding",
    PostPadding = "PostPadding",
    Dilation = "Dilation",
    Groups = "Groups",
    OutMaps = "OutMaps",
    Weights = "Weights",
    Bias = "Bias",
    Activation = "Activation",
    HasReLU = "HasReLU",
    TacticName = "TacticName",
    TacticValue = "TacticValue",
    Metadata = "Metadata",
    ConvKernel = "ConvKernel",
    ConvStride = "ConvStride",
    ConvPrePadding = "ConvPrePadding",
    ConvPostPadding = "ConvPostPadding",
    ConvDilation = "ConvDilation",
    ConvGroups = "ConvGroups",
    ConvOutMaps = "ConvOutMaps",
    ConvWeights = "ConvWeights",
    ConvBias = "ConvBias",
    ConvActivation = "ConvActivation",
}

/// A JSON value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Json<'a> {
    Null,
    Bool(bool),
    Number(Number),
    String(Cow<'a, str>),
    Array(Vec<Json<'a>>),
    Object(Object<'a>),
}

/// The members of a JSON object that are looked at, in the order written.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Object<'a>(Vec<(Field, Json<'a>)>);

impl<'a> Object<'a> {
    /// A member; of several with the same name, the last.
    pub(super) fn get(&self, field: Field) -> Option<&Json<'a>> {
        self.0.iter().rev().find(|(known, _)| *known == field).map(|(_, value)| value)
    }

    pub(super) fn contains(&self, field: Field) -> bool {
        self.0.iter().any(|(known, _)| *known == field)
    }
}

impl<'a> Json<'a> {
    /// A member of an object.
    pub(super) fn get(&self, field: Field) -> Option<&Json<'a>> {
        match self {
            Self::Object(object) => object.get(field),
            _ => None,
        }
    }

    pub(super) fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn as_array(&self) -> Option<&[Json<'a>]> {
        match self {
            Self::Array(list) => Some(list),
            _ => None,
        }
    }
}

impl From<Value> for Json<'_> {
    fn from(value: Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(truth) => Self::Bool(truth),
            Value::Number(number) => Self::Number(number),
            Value::String(text) => Self::String(text.into()),
            Value::Array(list) => Self::Array(list.into_iter().map(Self::from).collect()),
            Value::Object(members) => {
                let known = |(name, value): (String, Value)| Some((Field::of(&name)?, value.into()));
                Self::Object(Object(members.into_iter().filter_map(known).collect()))
            }
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Json<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader { members: LAYER_MEMBERS })
    }
}

/// The member that a name stands for; none for one that is skipped.
struct Key(Option<Field>);

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(KeyReader).map(Self)
    }
}

struct KeyReader;

impl Visitor<'_> for KeyReader {
    type Value = Option<Field>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(Field::of(name))
    }
}

/// Members that a layer mostly has of those looked at, and a tensor.
const LAYER_MEMBERS: usize = 24;
const TENSOR_MEMBERS: usize = 4;

/// Reads any value; memory for as many members is taken at once.
#[derive(Clone, Copy)]
struct Reader {
    members: usize,
}

impl Reader {
    const INNER: Self = Self { members: TENSOR_MEMBERS };
}

impl<'de> DeserializeSeed<'de> for Reader {
    type Value = Json<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Self::Value, E> {
        Ok(Json::Bool(truth))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Json::Number(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Json::Number(number.into()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
        // JSON has no other numbers than finite ones.
        Ok(Number::from_f64(number).map_or(Json::Null, Json::Number))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Json::String(text.into()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Json::String(text.to_owned().into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element_seed(Self::INNER)? {
            values.push(value);
        }
        Ok(Json::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::with_capacity(self.members);
        while let Some(Key(key)) = object.next_key()? {
            match key {
                Some(field) => members.push((field, object.next_value_seed(Self::INNER)?)),
                None => {
                    object.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(Json::Object(Object(members)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Any JSON value, a few levels deep; some names are those of members that are looked at.
    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            (-1e300..1e300).prop_map(Value::from),
            "\\PC{0,8}".prop_map(Value::from),
            "[\\x00-\\x1f\"\\\\]{0,4}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 64, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::vec(("[ab]{0,2}|\\n|Name|Type|Inputs", inner), 0..6)
                    .prop_map(|m| Value::Object(m.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_read_is_what_serde_json_reads(value in any_json()) {
            let text = value.to_string();
            let expected: Value = serde_json::from_str(&text).expect("JSON");
            prop_assert_eq!(serde_json::from_str::<Json<'_>>(&text).expect("JSON"), Json::from(expected));
        }
    }

    #[test]
    fn the_last_of_two_counts_and_plain_texts_are_borrowed() {
        let text =
            r#"{"Name": "x", "other": {"Type": [1e3, null, "\n"]}, "Type\u0000": 1, "\u0054ype": "\u0041", "Name": 2}"#;
        let json: Json<'_> = serde_json::from_str(text).expect("JSON");
        assert_eq!(json.get(Field::Name), Some(&Json::Number(2.into())));
        assert_eq!(json.get(Field::Type).and_then(Json::as_str), Some("A"));
        let Json::Object(Object(members)) = &json else { panic!("{json:?}") };
        assert!(matches!(&members[..], [(Field::Name, Json::String(Cow::Borrowed("x"))), _, _]), "{members:?}");
        assert!(serde_json::from_str::<Json<'_>>(&"[".repeat(1000)).is_err(), "the depth has a limit");
    }

    #[test]
    fn what_is_skipped_must_be_json_all_the_same() {
        for wrong in ["nan", "[1,]", "{\"a\"}", "\"\u{1}\"", "01", "\"\\x\""] {
            assert!(serde_json::from_str::<Json<'_>>(&format!(r#"{{"other": {wrong}}}"#)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_member_is_known_by_its_name() {
        for field in [Field::Name, Field::Format, Field::HasReLU, Field::ConvActivation] {
            assert_eq!(Field::of(field.name()), Some(field));
        }
        assert_eq!((Field::of("name"), Field::of("")), (None, None));
    }
}
