"""Which questions of guidance each section answers. The wording is ours: the documents themselves are what counts."""

import dataclasses
from collections.abc import Sequence

OPINION = (
    "European Data Protection Board: Opinion 28/2024 on certain data protection aspects related to the processing of "
    "personal data in the context of AI models, adopted on 17 December 2024."
)
SOURCES = (
    OPINION,
    "Information Commissioner's Office (United Kingdom): Guidance on AI and data protection, section “How should we "
    "assess security and data minimisation in AI?”.",
    "Information Commissioner's Office (United Kingdom): Anonymisation guidance, section “How do we ensure "
    "anonymisation "
    "is effective?”.",
    "National Institute of Standards and Technology (United States): SP 800-226, Guidelines for Evaluating "
    "Differential "
    "Privacy Guarantees, March 2025. https://doi.org/10.6028/NIST.SP.800-226",
)


@dataclasses.dataclass(frozen=True)
class Question:
    """What guidance asks that a section is about.

    Attributes:
      section: topic of the section.
      edpb: what Opinion 28/2024 asks there.
      ico: what the ICO's guidance asks there.
    """

    section: str
    edpb: str
    ico: str


QUESTIONS: Sequence[Question] = (
    Question(
        "Scope",
        "Which model, made by whom, from whose data? A claim of anonymity is judged case by case.",
        "What is processed, for which purpose, and who is responsible?",
    ),
    Question(
        "Means",
        "Which means would the controller or anybody else be reasonably likely to use to identify a person, with what "
        "access, cost, time and further data?",
        "Who may want to identify people, and what could a motivated intruder do? Do attackers see the model itself or "
        "its answers only, and do answers carry confidences?",
    ),
    Question(
        "Extraction",
        "How likely is it that personal data are taken out of the model directly, probabilistic extraction included "
        "(paragraph 43, first condition)?",
        "Can somebody reconstruct inputs or attributes from the model (model inversion)?",
    ),
    Question(
        "Membership",
        "How likely is it that queries give personal data away, meant or not (paragraph 43, second condition)? "
        "Membership inference is one of the attacks that tests should try.",
        "Can somebody tell that a person was in the training data (membership inference)? Does the model overfit?",
    ),
    Question(
        "Most exposed person",
        "Is the likelihood insignificant for every data subject, not only on average?",
        "Can somebody be singled out, linked or inferred about? Who is at most risk?",
    ),
    Question(
        "What was tested",
        "Which tests were run against state-of-the-art attacks, how often, by whom, and with which results?",
        "Were the risks of privacy attacks assessed, and how?",
    ),
    Question(
        "Safeguards",
        "Which choices of data, training and output reduce identification; are privacy-preserving techniques used?",
        "Were privacy-enhancing techniques considered, and is overfitting kept low?",
    ),
    Question(
        "Documentation",
        "Does documentation show the measures, the tests and the remaining risk, the impact assessment and advice "
        "of the "
        "data protection officer included?",
        "Is the assessment recorded, and reviewed when circumstances change?",
    ),
)
