//! A value for each topic, found by the topic.

use std::ops::{Index, IndexMut};

use super::Topic;

/// A value for each topic.
pub type PerTopic<T> = TopicMap<T, { Topic::ALL.len() }>;

/// A value for each output topic.
pub type PerOutput<T> = TopicMap<T, { Topic::OUTPUTS.len() }>;

/// A value for each of the last `N` topics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TopicMap<T, const N: usize>([T; N]);

impl<T, const N: usize> TopicMap<T, N> {
    const TOPICS: &'static [Topic] = Topic::ALL.split_at(Topic::ALL.len() - N).1;

    /// The values that `of` gives.
    pub fn from_fn(mut of: impl FnMut(Topic) -> T) -> Self {
        Self(std::array::from_fn(|place| of(Self::TOPICS[place])))
    }

    /// The values that `of` gives, or its first error.
    pub fn try_from_fn<E>(of: impl FnMut(Topic) -> Result<T, E>) -> Result<Self, E> {
        Self::TOPICS.iter().copied().map(of).collect::<Result<_, _>>().map(Self::from_values)
    }

    /// One value per topic, in the order of the topics.
    ///
    /// # Panics
    /// When there are more or fewer values.
    pub fn from_values(values: Vec<T>) -> Self {
        Self(values.try_into().unwrap_or_else(|_| panic!("one value per topic")))
    }

    /// The values, in the order of the topics.
    pub fn values(&self) -> &[T; N] {
        &self.0
    }

    /// Each topic with its value.
    pub fn iter(&self) -> impl Iterator<Item = (Topic, &T)> {
        Self::TOPICS.iter().copied().zip(&self.0)
    }

    /// Each topic with its value, to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (Topic, &mut T)> {
        Self::TOPICS.iter().copied().zip(&mut self.0)
    }

    fn place(topic: Topic) -> usize {
        let place = (topic as usize).checked_sub(Topic::ALL.len() - N);
        place.expect("the input is not an output topic")
    }
}

impl<T, const N: usize> Index<Topic> for TopicMap<T, N> {
    type Output = T;

    fn index(&self, topic: Topic) -> &T {
        &self.0[Self::place(topic)]
    }
}

impl<T, const N: usize> IndexMut<Topic> for TopicMap<T, N> {
    fn index_mut(&mut self, topic: Topic) -> &mut T {
        &mut self.0[Self::place(topic)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_finds_its_own_value() {
        let mut all = PerTopic::from_fn(|topic| topic);
        let outputs = PerOutput::from_fn(|topic| topic);
        assert!(all.iter().chain(outputs.iter()).all(|(topic, value)| topic == *value));
        assert!(Topic::ALL.into_iter().all(|topic| all[topic] == topic));
        assert!(Topic::OUTPUTS.into_iter().all(|topic| outputs[topic] == topic));
        all[Topic::Journal] = Topic::Input;
        assert_eq!(all.values().last(), Some(&Topic::Input));
    }

    #[test]
    fn the_first_error_is_the_answer() {
        let late_is_unknown = |topic| if topic == Topic::Late { Err(topic) } else { Ok(()) };
        assert_eq!(PerOutput::try_from_fn(late_is_unknown), Err(Topic::Late));
        assert_eq!(
            PerTopic::try_from_fn(|_| Ok::<_, ()>(1)),
            Ok(PerTopic::from_values(vec![1; Topic::ALL.len()]))
        );
    }

    #[test]
    #[should_panic(expected = "the input is not an output topic")]
    fn the_input_has_no_value_among_the_outputs() {
        let outputs = PerOutput::from_fn(|_| 0);
        let _: i32 = outputs[Topic::Input];
    }
}
