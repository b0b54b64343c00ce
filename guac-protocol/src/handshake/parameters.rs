//! Connection parameters by name.

use core::marker::PhantomData;

/// Values of connection parameters, looked up by name.
///
/// What to give, in which order, is up to the server: it lists the names that it knows,
/// and gets one value for each. Pairs of name and value are enough; where a name is
/// there twice, the first counts.
///
/// ```
/// use guac_protocol::handshake::Parameters;
/// let parameters = [("hostname", "10.0.0.7"), ("port", "5901")];
/// assert_eq!(parameters.value("port"), Some("5901"));
/// assert_eq!(parameters.value("password"), None);
/// ```
pub trait Parameters {
    /// Value of the parameter with this name. An empty value is sent where there is
    /// none. Has to be the same every time.
    fn value(&self, name: &str) -> Option<&str>;

    /// Calls `each` with every name that has a value, so that those that the server
    /// does not know can be reported. A source that cannot list its names has none.
    fn each_name(&self, each: &mut dyn FnMut(&str)) {
        let _ = each;
    }
}

impl<N: AsRef<str>, V: AsRef<str>> Parameters for [(N, V)] {
    fn value(&self, name: &str) -> Option<&str> {
        let (_, value) = self.iter().find(|(known, _)| known.as_ref() == name)?;
        Some(value.as_ref())
    }

    fn each_name(&self, each: &mut dyn FnMut(&str)) {
        self.iter().for_each(|(name, _)| each(name.as_ref()));
    }
}

impl<N: AsRef<str>, V: AsRef<str>, const LENGTH: usize> Parameters for [(N, V); LENGTH] {
    fn value(&self, name: &str) -> Option<&str> {
        self.as_slice().value(name)
    }

    fn each_name(&self, each: &mut dyn FnMut(&str)) {
        self.as_slice().each_name(each);
    }
}

#[cfg(feature = "alloc")]
impl<N: AsRef<str>, V: AsRef<str>> Parameters for alloc::vec::Vec<(N, V)> {
    fn value(&self, name: &str) -> Option<&str> {
        self.as_slice().value(name)
    }

    fn each_name(&self, each: &mut dyn FnMut(&str)) {
        self.as_slice().each_name(each);
    }
}

#[cfg(feature = "alloc")]
impl<N, V> Parameters for alloc::collections::BTreeMap<N, V>
where
    N: core::borrow::Borrow<str> + Ord,
    V: AsRef<str>,
{
    fn value(&self, name: &str) -> Option<&str> {
        self.get(name).map(AsRef::as_ref)
    }

    fn each_name(&self, each: &mut dyn FnMut(&str)) {
        self.keys().for_each(|name| each(name.borrow()));
    }
}

impl<P: Parameters + ?Sized> Parameters for &P {
    fn value(&self, name: &str) -> Option<&str> {
        (**self).value(name)
    }

    fn each_name(&self, each: &mut dyn FnMut(&str)) {
        (**self).each_name(each);
    }
}

/// Parameters from a function of the name, which cannot list its names.
///
/// ```
/// use guac_protocol::handshake::{Lookup, Parameters};
/// let parameters = Lookup::new(|name| name.starts_with("disable-").then_some("true"));
/// assert_eq!(parameters.value("disable-paste"), Some("true"));
/// ```
#[derive(Clone, Copy)]
pub struct Lookup<'v, F> {
    function: F,
    values: PhantomData<&'v str>,
}

impl<'v, F: Fn(&str) -> Option<&'v str>> Lookup<'v, F> {
    /// Parameters whose values the function gives.
    pub const fn new(function: F) -> Self {
        Self {
            function,
            values: PhantomData,
        }
    }
}

impl<'v, F: Fn(&str) -> Option<&'v str>> Parameters for Lookup<'v, F> {
    fn value(&self, name: &str) -> Option<&str> {
        (self.function)(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(parameters: &(impl Parameters + ?Sized), count: usize) {
        assert_eq!(parameters.value("a"), Some("1"));
        assert_eq!(parameters.value("c"), None);
        let mut names = 0;
        parameters.each_name(&mut |_| names += 1);
        assert_eq!(names, count);
    }

    #[test]
    fn all_sources_answer() {
        let pairs = [("a", "1"), ("b", "2")];
        check(&pairs, 2);
        check(&pairs[..], 2);
        check(&&pairs, 2);
        check(&Lookup::new(|name| (name == "a").then_some("1")), 0);
        check(&[("a", "1"), ("a", "2")], 2);
    }

    #[cfg(feature = "alloc")]
    #[test]
    fn owned_sources_answer() {
        use alloc::string::String;
        let pairs = [("a", "1"), ("b", "2")].map(|(name, value)| (String::from(name), value));
        check(&alloc::vec::Vec::from(pairs.clone()), 2);
        check(&alloc::collections::BTreeMap::from(pairs), 2);
    }
}
