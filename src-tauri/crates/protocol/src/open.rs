//! Objects of an open world: what a type does not know of an object is kept beside it, so that it can be told of.
//!
//! (serde's `flatten` buffers and breaks raw JSON, DECISIONS 24. Here the unknown members are sifted out while the
//! known ones are read: one pass, and nothing allocated where all is known.) `type` counts as known everywhere.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use serde::de::value::CowStrDeserializer;
use serde::de::{Deserialize, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::value::RawValue;

/// An object of which `T` knows a part.
#[derive(Debug, Clone, Default)]
pub struct Open<'a, T> {
    known: T,
    /// What `T` does not know.
    pub rest: Rest<'a>,
}

/// Members that nobody knows, as they came.
#[derive(Debug, Clone, Default)]
pub struct Rest<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Rest<'a> {
    /// Names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        self.0.iter().map(|(key, value)| (key.as_ref(), *value))
    }
}

impl<'a, T> Open<'a, T> {
    /// The known part and the rest.
    pub(crate) fn into_parts(self) -> (T, Rest<'a>) {
        (self.known, self.rest)
    }
}

impl<T> Deref for Open<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.known
    }
}

impl<'de: 'a, 'a, T: Deserialize<'de>> Deserialize<'de> for Open<'a, T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut rest = Rest::default();
        let known = T::deserialize(Sieve { inner: deserializer, rest: &mut rest })?;
        Ok(Self { known, rest })
    }
}

/// Hands a derived struct the members that it knows.
struct Sieve<'r, 'a, D> {
    inner: D,
    rest: &'r mut Rest<'a>,
}

impl<'de: 'a, 'a, D: Deserializer<'de>> Deserializer<'de> for Sieve<'_, 'a, D> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_any(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.inner.deserialize_struct(name, fields, Sifting { visitor, fields, rest: self.rest })
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

/// A visitor, or the members it visits, with the unknown ones taken out.
struct Sifting<'r, 'a, V> {
    visitor: V,
    fields: &'static [&'static str],
    rest: &'r mut Rest<'a>,
}

impl<'de: 'a, 'a, V: Visitor<'de>> Visitor<'de> for Sifting<'_, 'a, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.visitor.expecting(f)
    }

    fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<V::Value, M::Error> {
        self.visitor.visit_map(Sifting { visitor: map, fields: self.fields, rest: self.rest })
    }
}

impl<'de: 'a, 'a, M: MapAccess<'de>> MapAccess<'de> for Sifting<'_, 'a, M> {
    type Error = M::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, M::Error> {
        while let Some(Key(key)) = self.visitor.next_key()? {
            if self.fields.contains(&key.as_ref()) {
                let key: CowStrDeserializer<'de, M::Error> = key.into_deserializer();
                return seed.deserialize(key).map(Some);
            }
            let value = self.visitor.next_value()?;
            // The type says what the object is, and that has been looked at.
            if key != "type" {
                self.rest.0.push((key, value));
            }
        }
        Ok(None)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, M::Error> {
        self.visitor.next_value_seed(seed)
    }
}

/// A member's name, borrowed where it holds no escapes.
struct Key<'de>(Cow<'de, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Name;
        impl<'de> Visitor<'de> for Name {
            type Value = Key<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a member's name")
            }

            fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Borrowed(name)))
            }

            fn visit_str<E>(self, name: &str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Owned(name.to_owned())))
            }
        }
        deserializer.deserialize_str(Name)
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::Open;
    use crate::json::JsonStr;

    #[derive(Debug, Deserialize)]
    struct Known<'a> {
        #[serde(borrow)]
        text: JsonStr<'a>,
        #[serde(default)]
        number: Option<u8>,
    }

    #[test]
    fn unknown_members_are_kept_raw_beside_the_known_ones() {
        let object: Open<'_, Known<'_>> =
            serde_json::from_str(r#"{"new":{"a":[1.50]},"text":"x","\u006eew2":null,"type":"t","number":3}"#)
                .unwrap();
        assert_eq!((object.text.to_text().as_ref(), object.number), ("x", Some(3)));
        let rest: Vec<_> = object.rest.iter().map(|(key, value)| (key, value.get())).collect();
        assert_eq!(rest, [("new", r#"{"a":[1.50]}"#), ("new2", "null")]);
    }

    #[test]
    fn errors_are_those_of_the_known_part() {
        let error = serde_json::from_str::<Open<'_, Known<'_>>>(r#"{"new":1}"#).unwrap_err();
        assert!(error.to_string().starts_with("missing field `text`"), "{error}");
    }
}
