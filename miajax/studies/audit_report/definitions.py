"""Words of the report, for readers who are no statisticians."""

DEFINITIONS = (
    ("Attack", "A procedure that asks the model about a record and answers how likely the record was in its training."),
    ("Member, non-member", "A record that a model was trained on; a record of the same kind that it was not."),
    ("Membership inference", "Telling from a model's answers whether a record, and so a person, was in the training "
    "data."),
    ("False alarm", "A non-member whom the attack calls a member. “One false alarm per thousand”: of 1,000 "
    "non-members it wrongly names 1."),
    ("Named", "Called a member by the attack. What counts is how many members are named while false alarms are rare."),
    ("TPR, FPR", "True-positive rate: the share of members who are named. False-positive rate: the share of "
    "non-members who are."),
    ("AUC", "How often the attack ranks a random member above a random non-member: 0.5 is guessing, 1 is always."),
    ("95 % interval", "A range made by a procedure that holds the true value in 95 of 100 audits. A wide one means: "
    "little evidence."),
    ("Measurably more than chance", "The whole interval lies above what guessing reaches. Without that, nothing was "
    "shown either way: up to the upper end of the interval, a leak would go unseen."),
    ("Shadow model", "A model that the auditor, or an attacker, trains like the audited one to learn how such "
    "models answer."),
    ("Extraction", "Getting records, or parts of them, out of the model itself. It is more than telling that a "
    "record was there."),
    ("Most exposed", "The record that the models give away most. The average person may be exposed far less."),
    ("Lower bound", "The least that leaks: these attacks found it. Others may find more."),
    ("Differential privacy", "A way of training that limits, by proof, how much any one unit of data can change "
    "what is released."),
    ("Epsilon (ε), delta (δ)", "The limit of differential privacy: smaller is stronger. Delta is the small "
    "probability that the limit may be passed."),
    ("Hash (SHA-256)", "A fingerprint of a file: whoever changes the file changes it."),
)  # fmt: skip
