"""English as the grammar knows it: phrases by category. A closed list; no word of any domain stands here.

Words of the category FILL say nothing. Every other category has a rule that consumes it; where no rule does, the question is refused.
"""

from __future__ import annotations

_PHRASES: dict[str, str] = {
    "FILL": """the | a | an | do | does | did | me | us | i | we | our | you | there | it | they | them | their | its | please | would |
        could | can | could you | can you | would you | show | show me | give | give me | tell me | get me | get | display | let me
        see | want to see | i'd like to see | want to know | need to know | like to know | like to see | to see | see | find | what |
        what's | whats | how | in total | overall | altogether | all together | in all | i'd | i'm | am | so far | what about | how
        about | let me know | calculate | compute | return | dollar value of | been | being | own | also | there's | in the data | in
        the dataset | in our data | on record | in the system | on file | need | want | like to know | how's""",
    "COP": "is | are | was | were | be | got | were being | are being | have been | has been | had been | which are | which were",
    "THAT": "that | who | which have | whose | where | when",
    "WHICH": "which | which of the",
    "HAVE": "have | has | had | having",
    "WITH": "with | along with | together with | as well as",
    "PREP": """of | for | in | on | from | at | among | within | during | attributed to | due to | associated with | related to | coming
        from""",
    "COME": "come | comes | came | belong to | belongs to | make up | account for | go to | went to",
    "BY": """by | across | broken down by | split by | grouped by | group by | segmented by | breakdown by | break down by | broken out by
        | across all | across the | across different | sliced by | separated by | divided by""",
    "PER": "per | for each | for every | in each | within each | each | every | of each | for each of the | by each | from each",
    "WISE": "wise",
    "HOWMANY": """how many | number of | the number of | count of | total number of | total count of
        | count | how many of the | how many total
        how many | number of | the number of | count of | total number of | total count of | count | how many of the | how many total""",
    "DISTINCT": "distinct | unique | different | individual",
    "MUCH": "how much | how much money | how many dollars | how much in total",
    "LIST": "list | list all | list of | names of | name | show a list of",
    "ALL": "all | all of the | all the | any",
    "TOP": "top | the top",
    "BOTTOM": "bottom | the bottom",
    "SUP_DESC": "highest | most | largest | biggest | greatest | longest | slowest",
    "SUP_ASC": "lowest | least | fewest | smallest | shortest | fastest | quickest",
    "COMMON_DESC": "most common | most frequent | commonest | most commonly | most often",
    "COMMON_ASC": "least common | least frequent | rarest",
    "RANK": "rank | ranking of | ranked",
    "ORDER": "ranked by | order by | ordered by | sort by | sorted by | in order of | rank by | and sort by | sorted on | ranking by",
    "DIR_DESC": """descending | in descending order | highest first | largest first | highest to lowest
        | from highest to lowest | most first
        descending | in descending order | highest first | largest first | highest to lowest | from highest to lowest | most first""",
    "DIR_ASC": "ascending | in ascending order | lowest first | smallest first | lowest to highest | from lowest to highest",
    "STAT_mean": "average | mean | avg | on average",
    "STAT_median": "median | typical",
    "STAT_p90": "p90 | 90th percentile | 90th percentile of | ninetieth percentile",
    "STAT_max": "maximum | max",
    "STAT_min": "minimum | min",
    "TOTAL": "total | sum of | the sum of | total of",
    "SHARE": """share of | percentage of | percent of | proportion of | fraction of | % of | share | percentage | percent | proportion |
        share of all | percentage of all | percent of all | share of total | share of the total | percentage of total | percent of
        total | distribution of | percentage distribution of | % of all | % of total | proportion of all | shares of""",
    "RUN": "running total of | running total | cumulative | cumulative total of | running | cumulative sum of",
    "CHANGE": "change in | changes in | change of | change | changed | changes | differ",
    "OVER_month": "month over month | month on month | mom",
    "OVER_quarter": "quarter over quarter | quarter on quarter | qoq",
    "OVER_year": "year over year | year on year | yoy",
    "TREND": "trend | trends | trend in | trends in | trend of | trend for | over time | trended | trending",
    "GRAIN_day": "day | calendar day | date",
    "GRAIN_week": "week | calendar week",
    "GRAIN_month": "month | calendar month",
    "GRAIN_quarter": "quarter | calendar quarter",
    "GRAIN_year": "year | calendar year",
    "GRAIN_weekday": "weekday | day of week | day of the week",
    "GRAIN_month_of_year": "month of year | month of the year",
    "ADV_day": "daily | day by day",
    "ADV_week": "weekly | week by week",
    "ADV_month": "monthly | month by month",
    "ADV_quarter": "quarterly | quarter by quarter",
    "ADV_year": "yearly | annually | annual | year by year",
    "CMP_gt": """more than | over | above | greater than | higher than | exceeding | exceeds | exceed | >
        | larger than | longer than | older
        than""",
    "CMP_ge": "at least | >= | ≥ | no less than | no fewer than | not less than | minimum of",
    "CMP_lt": "fewer than | less than | under | below | lower than | < | smaller than | shorter than | younger than",
    "CMP_le": "at most | <= | ≤ | no more than | not more than | up to | maximum of",
    "CMP_eq": "exactly | equal to | = | equals",
    "POST_ge": "or more | or higher | or above | or over | or older | and over | and older | and above | and up | or greater | plus",
    "POST_le": "or less | or fewer | or lower | or below | or under | or younger | and under | and younger | and below",
    "AVG_gt": """above average | above the average | higher than average | higher than the average
        | greater than average | over the average |
        more than average | more than the average | greater than the average | above the overall average""",
    "AVG_lt": """below average | below the average | lower than average | lower than the average | less than average | under the average |
        fewer than average | less than the average | fewer than the average | below the overall average""",
    "BETWEEN": "between",
    "AND": "and | & | , | , and | plus the",
    "OR": "or | , or | and/or",
    "TO": "to",
    "VS": "vs | vs. | versus | compared to | compared with | against | as compared to | as compared with | v",
    "COMPARE": "compare | comparison of | comparing | compared | compare the",
    "NOT": """not | excluding | except | except for | other than | non | but not | exclude | not including | aside from | isn't | aren't |
        weren't | wasn't""",
    "WITHOUT": """without | with no | have no | has no | having no | without any | with zero | had no
        | do not have | don't have | did not have
        | didn't have | do not have any | don't have any | did not have any | didn't have any | with 0 | have 0 | who have no | that
        have no | have not had any | have never had""",
    "STARTS": "starting with | beginning with | start with | starts with | begin with | begins with | prefix",
    "AGED": "aged | ages | years old | year olds | years of age | year old",
    "UNIT_WORD": "dollars | usd | percent | % | days | bucks | dollar",
    "CODE_WORD": "code | codes",
}

PHRASES: dict[tuple[str, ...], str] = {
    tuple(phrase.split()): category
    for category, listed in _PHRASES.items()
    for phrase in (part.strip() for part in listed.split("|"))
    if phrase
}
PHRASES[("%",)] = "UNIT_WORD"


def _words(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


NUMBER_WORDS = {"zero": 0, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10}
NUMBER_WORDS |= {"eleven": 11, "twelve": 12, "twenty": 20, "fifty": 50, "hundred": 100}
ORDINALS = {"second": 2, "third": 3, "fourth": 4, "fifth": 5, "2nd": 2, "3rd": 3, "4th": 4, "5th": 5}

# Words that ask for a number nobody declared.
VAGUE = _words(
    """abnormal acceptable active bad big cheap complex costly efficient excessive expensive fair frequent good heavy high inactive
    inefficient large long low normal poor reasonable recent recently risky severe short significant small substantial unusual"""
)

# Ordinary words that look like a misspelt word of a question but are not one: never repaired.
KEEP = _words(
    """account accounts acting allower allows aloud amount amounts anxious anxiously audition average averaged barrier billet bills
    bullied cancel canter capable cared career carer cares caries carried carrier carrion changer changes charged charger chargers
    charging claimed clinic clinical clinician conceived condition conditions copay county courier court dancer data date deceived
    decried defied defined dejected denier deniers denies denoting dental denting diabetics diabolic doctor doctors domain edition
    ejected ember estate fate female fertile gate gender genial group groups hate healthy income injected injection insured
    insurers insures lanes late layer legion likes limes linear lined linen liner links lives lover lower makes males mate meals medal
    media medial medians member membrane menial metal modal mode model monthly months moth mount mouth mouths mover nation notion
    number numbers office officer open opened opinion option outcome outcomes pager paper parson patent patience pendant pending
    pension person persons place placed places plane planet planned plans plant plate player poison police policy power prayer
    procedure procedures process processed produce produced product production professed progress provide provided providers quarterly
    quarters quartet raisin rate rated raters rates ratio ration reason reasons receive received reflex region reject rejected
    rejection relieved religion render reserved reserves resolved revered reverse reversed rover rower sales season seasons sending
    service serviced services skate spate special speciality spending stage stages stake stale stare stated states station statue
    status statute stave stealth tales taxes tender tests texts totals tower treason unite united units unity visit visits weakly
    wealthy weekly woman women yearn"""
)
