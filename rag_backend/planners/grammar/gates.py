"""What the words of the whole question decide before it is read: attempts on the rules, SQL, greetings, forecasts."""

from __future__ import annotations

import re

from rag_backend.planners.base import Greeting, Refused

LONGEST = 1000

_UNSAFE = re.compile(
    r"\b(ignore|disregard|forget|override|bypass|circumvent|disable|turn off|switch off|drop)\b.{0,40}\b(instruction|"
    r"instructions|rule|rules|polic\w+|"
    r"previous|above|guard\w*|restriction\w*|suppression|mask\w*|filter\w*|limit\w*|prompt|permission\w*|security|validator|"
    r"safety|table|database|privacy)\b"
    r"|\b(you are now|act as|pretend|role ?play|as an? (admin\w*|engineer|root|superuser|dba)|i am (an? |the )?(admin\w*|"
    r"engineer|root|superuser|dba|"
    r"developer)|developer mode|jailbreak|system prompt|sudo|my role is|set (my )?role|switch (to )?(the )?role|grant me|give me access|"
    r"with(out)? (admin|mask\w*|suppression|redaction)|unmask\w*|unredact\w*|raw sql|run (this|the following) (sql|query|code)|execute)\b"
    r"|\b(delete|truncate|alter|insert into|update|drop|create|grant|revoke|attach|copy)\s+(from|table|tables|view|schema|"
    r"database|the|all|into|user)\b"
    r"|information_schema|pg_catalog|read_parquet|read_csv|/etc/|\.\./|<script|\{\{|\$\{|;\s*--|\bunion\s+(all\s+)?select\b|"
    r"'\s*or\s+'?1|\bor 1\s*=\s*1",
    re.IGNORECASE | re.DOTALL,
)
_SQL = re.compile(
    r"^\s*(with\s+\w+\s+as\s*\(|select\b.*\bfrom\b|explain\s+(select|with|analyze|verbose|insert|update|delete|plan|table)\b|describe\s+\w+\s*;|show\s+(tables|databases|schemas)\b|"
    r"pragma\b)|;\s*(select|with|drop|delete|update|insert|alter|create|truncate|grant|copy|attach|set|call|merge)\b",
    re.I | re.S,
)
_GREETING = re.compile(
    r"^\W*((hi|hello|hey|greetings|good (morning|afternoon|evening|day)|howdy|thanks|thank you|thx|bye|goodbye|see you|cheers|hallo)"
    r"( there| everyone| all| again| very much| so much| a lot| you)*|how are you( doing)?( today)?|who are you|what can you do|"
    r"help)\W*$",
    re.IGNORECASE,
)
_FORECAST = re.compile(
    r"\b(will|forecast\w*|predict\w*|projection\w*|projected|project the|expected to|going to|next (month|quarter|year|week)|"
    r"should (we|i|they|you)|"
    r"what should|recommend\w*|advi[cs]e|why|what caused|what causes|cause of|causes of|reason why|because of what|how (can|"
    r"could|do|should) (we|i|you) "
    r"(reduce|improve|lower|increase|fix|prevent|avoid|save|cut)|what if|would happen|ought|likely to|suggest\w*|is it worth|"
    r"best way to|how to|in the future|"
    r"by 20[3-9]\d|root cause|what drives|what is driving|what's driving|what explains)\b",
    re.IGNORECASE,
)
_OFF_TOPIC = re.compile(
    r"\b(weather|joke|poem|song|lyrics|recipe|cook|football|soccer|basketball|baseball|movie|film|actor|president|capital of|"
    r"stock price|bitcoin|crypto|"
    r"news|horoscope|translate|meaning of life|restaurant|hotel|flight|vacation|story|haiku|chess|python code|write code|"
    r"write a|sing|birthday|"
    r"tell me about yourself|favorite|favourite|love|marry|religion|prime minister|world cup|who won|population of|time is it|"
    r"distance)\b",
    re.IGNORECASE,
)
_YES_NO = re.compile(r"^\W*(is|are|was|were|do|does|did|has|have|had|am|isn't|aren't|doesn't|don't|didn't)\b", re.IGNORECASE)


def gate(text: str) -> Refused | Greeting | None:
    """The outcome that the wording alone decides; None = the question is to be read."""
    if len(text) > LONGEST:
        return Refused("over_limit", f"a question has at most {LONGEST} characters; this one has {len(text)}")
    if not text.strip():
        return Refused("not_understood", "nothing is asked")
    if _UNSAFE.search(text):
        return Refused("unsafe", "words in a question cannot change roles, rules or the query language; ask for the number itself")
    if _SQL.search(text):
        return Refused("unsafe", "this is SQL: type it at /sql, where your role may use it")
    if _GREETING.match(text):
        return Greeting()
    if forecast := _FORECAST.search(text):
        return Refused("prediction_or_advice", "I answer from what happened: no forecasts, causes or advice", forecast.group())
    if other := _OFF_TOPIC.search(text):
        return Refused("off_topic", "I answer questions about the data only", other.group())
    if yes_no := _YES_NO.match(text):
        return Refused("not_understood", "yes or no is not answered; ask for the number", yes_no.group().strip())
    return None
