//! A value for each topic of a task, found by the topic.

use std::ops::{Index, IndexMut};

use super::Topic;

/// A value for each topic.
pub type PerTopic<T> = TopicMap<T>;

/// A value for each output topic.
pub type PerOutput<T> = TopicMap<T>;

/// A value for each of some topics, in the order of the topics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TopicMap<T>([Option<T>; Topic::ALL.len()]);

impl<T> TopicMap<T> {
    /// The values that `of` gives for these topics.
    pub fn of(topics: &[Topic], mut of: impl FnMut(Topic) -> T) -> Self {
        let value = |topic| topics.contains(&topic).then(|| of(topic));
        Self(Topic::ALL.map(value))
    }

    /// A value for each of the same topics.
    pub fn map<'a, U>(&'a self, mut of: impl FnMut(Topic, &'a T) -> U) -> TopicMap<U> {
        let mut values = self.0.iter().zip(Topic::ALL);
        TopicMap(std::array::from_fn(|_| {
            let (value, topic) = values.next().expect("as many as topics");
            value.as_ref().map(|value| of(topic, value))
        }))
    }

    /// The same, or the first error.
    pub fn try_map<'a, U, E>(
        &'a self,
        mut of: impl FnMut(Topic, &'a T) -> Result<U, E>,
    ) -> Result<TopicMap<U>, E> {
        let mut error = None;
        let values = self.map(|topic, value| match of(topic, value) {
            _ if error.is_some() => None,
            Ok(value) => Some(value),
            Err(first) => {
                error = Some(first);
                None
            }
        });
        match error {
            Some(error) => Err(error),
            None => Ok(TopicMap(values.0.map(Option::flatten))),
        }
    }

    /// These values in place of its own, in the order of the topics.
    ///
    /// # Panics
    /// When there are more or fewer values.
    pub fn with_values<U>(&self, values: Vec<U>) -> TopicMap<U> {
        assert_eq!(values.len(), self.topics().count(), "one value per topic");
        let mut values = values.into_iter();
        self.map(|_, _| values.next().expect("they were counted"))
    }

    /// Those of the outputs.
    #[must_use]
    pub fn outputs(mut self) -> PerOutput<T> {
        self.0[Topic::Input as usize] = None;
        self
    }

    /// The value of a topic, if it has one.
    pub fn get(&self, topic: Topic) -> Option<&T> {
        self.0[topic as usize].as_ref()
    }

    /// The topics.
    pub fn topics(&self) -> impl Iterator<Item = Topic> {
        self.iter().map(|(topic, _)| topic)
    }

    /// The values, in the order of the topics.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.0.iter().flatten()
    }

    /// Each topic with its value.
    pub fn iter(&self) -> impl Iterator<Item = (Topic, &T)> {
        Topic::ALL
            .into_iter()
            .zip(&self.0)
            .filter_map(|(topic, value)| Some((topic, value.as_ref()?)))
    }

    /// Each topic with its value, to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (Topic, &mut T)> {
        let all = Topic::ALL.into_iter().zip(&mut self.0);
        all.filter_map(|(topic, value)| Some((topic, value.as_mut()?)))
    }
}

impl<T> Index<Topic> for TopicMap<T> {
    type Output = T;

    fn index(&self, topic: Topic) -> &T {
        self.get(topic).unwrap_or_else(|| panic!("{topic:?} is not among these topics"))
    }
}

impl<T> IndexMut<Topic> for TopicMap<T> {
    fn index_mut(&mut self, topic: Topic) -> &mut T {
        let value = self.0[topic as usize].as_mut();
        value.unwrap_or_else(|| panic!("{topic:?} is not among these topics"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_finds_its_own_value() {
        let mut all = PerTopic::of(&Topic::COUNTING, |topic| topic);
        let outputs = all.outputs();
        assert!(all.iter().chain(outputs.iter()).all(|(topic, value)| topic == *value));
        assert!(Topic::COUNTING.into_iter().all(|topic| all[topic] == topic));
        assert_eq!(outputs.topics().collect::<Vec<_>>(), Topic::COUNTING[1..]);
        all[Topic::Journal] = Topic::Input;
        assert_eq!(all.values().last(), Some(&Topic::Input));
        assert_eq!(all.with_values((0..6).collect())[Topic::Journal], 5);
    }

    #[test]
    fn the_first_error_is_the_answer() {
        let all = PerTopic::of(&Topic::COUNTING, |_| 1);
        let late_is_unknown =
            |topic, _: &i32| if topic >= Topic::Late { Err(topic) } else { Ok(()) };
        assert_eq!(all.try_map(late_is_unknown), Err(Topic::Late));
        assert_eq!(all.try_map(|_, value| Ok::<_, ()>(*value)), Ok(all));
    }

    #[test]
    #[should_panic(expected = "Input is not among these topics")]
    fn the_input_has_no_value_among_the_outputs() {
        let outputs = PerTopic::of(&Topic::COUNTING, |_| 0).outputs();
        let _: i32 = outputs[Topic::Input];
    }
}
