"""English as the grammar knows it: phrases by category. A closed list; no word of any domain stands here.

Words of the category FILL say nothing. Every other category has a rule that consumes it; where no rule does, the question is refused.
"""

from __future__ import annotations

_PHRASES: dict[str, str] = {
    "FILL": """identify | plot | report | build | produce | pull | pull up | determine | work out | i need to know | need to see |
        look up | could you look up | can you look up | sorted out | please | how high is | how large is | how big is | how
        low is | how long is | how high was | how large was | looking at | put | a table of | one table | in one table |
        table of | what is our | what are our | please list | what's our | headed | the | a | an | do | does | did | me | us
        | i | we | our | you | there | it | they | them | their | its | would | could | can | could you | can you | would
        you | show | show me | give | give me | tell | tell me | get me | display | let me see | want to see | i'd like to
        see | want to know | need to know | like to know | like to see | to see | find | what | what's | whats | how | in
        total | overall | altogether | all together | in all | i'd | i'm | am | so far | what about | how about | let me
        know | calculate | compute | return | been | being | own | also | there's | in the data | in the dataset | in our
        data | on record | in the system | on file | need | want | how's | so | just | simply | still | currently | now | at
        present | to date | in the whole data set | whole data set | across the board | this | these | those | such | here |
        too | actually | give us | show us | as of now | whatsoever | at all | ever | ones | they're | we've | we have | do
        we have | did we have | did we see | do we see | we saw | have we seen | was it | is it | again | i want | i need |
        we're wondering | we are wondering | i'm wondering | i am wondering | i'd like | we'd like | i would like | we would
        like | i'd like to know | we'd like to know | i would like to know | we would like to know | we'd like to see | we
        need to know | i'm looking for | we're looking for | i am looking for | we're looking at | i'm looking at | we are
        looking at | we want to know | we want | we need | dr | mr | mrs | ms | together | combined | taken together |
        jointly | respectively | only | themselves | going | across all dates | all dates | over all dates | for all dates |
        of all time | all time | over all time | across all time | over the whole data set | over the entire data set | in
        the entire data set | across the whole data set | across the entire data set | quick question | quick check | if
        possible | if you can | his | her | he | she""",
    "ART": "single | a single | one | any one | any single | any given | a given",
    "LIGHT": """needed | needs | applied | applied to | break down | affecting | affect | affects | listing | hold | holds | held |
        made | make | make it to | makes it to | used | use | turn up | turns up | turned up | appear | appears | appeared |
        take place | takes place | took place | handle | handled | keep | keeps | kept | deal with | goes back to | go back
        to | went back to | belonged to | come | comes | came | coming | belong | belongs | belonging | belong to | belongs
        to | belonging to | make up | makes up | made up | account for | accounts for | accounted for | accounting for | go
        | goes | went | gone | go to | went to | fall | falls | fell | falling | fall into | falls into | sit | sits | sat |
        sitting | end up | ends up | ended up | ending up | get | gets | getting | got | see | sees | saw | seen | seeing |
        look | looks | looked | look like | looks like | stand | stands | stood | stand at | carry | carries | carried |
        carrying | contain | contains | contained | containing | include | includes | included | including | involve |
        involves | involving | happen | happened | occur | occurs | occurred | exist | exists | existed | located | based |
        located in | based in | differ | differs | differed | take | vary | varies | varied | varying | develop | develops |
        developed | evolve | evolves | evolved | break | breaks | broke | broken | split | splits | spread | spreads |
        distributed | shared | summed | add | adds | added | reach | reaches | reached | show up | shows up | do it | done |
        took | takes | taking | give back | generate | generated | list out | turn out | turned out | concern | concerns |
        relate | relating | stay | stayed | remain | remains | remained | work out | worked out | add up to | adds up to |
        amount to | amounts to | amounted to | total up | practicing in | practising in | working in | operating in | pick
        up | picked up | picks up | fell into""",
    "COP": "is | are | was | were | be | were being | are being | have been | has been | had been | which are | which were",
    "THAT": "that | who | which have | whose | where | when | which had | if | whom | for whom",
    "WHICH": "which | which of the | which of our | what kind of | which ones of the",
    "EMPTY": "blank | empty | null | not known | unknown | not filled | not given | absent",
    "HAVE": "have | has | had | having",
    "WITH": "with",
    "PREP": """of | for | in | on | from | at | among | within | during | attributed to | due to | associated with | related to |
        coming from | into | as | inside | amongst | through | using | via | relating to | concerning | counting only |
        considering only | looking only at | looking at only | restricted to | limited to | restricting to | limiting to |
        taking only | only counting | only considering | confined to | narrowed to | narrowed down to""",
    "BY": """distributed among | distributed among the | spread among | spread among the | split among | split among the |
        divided among | divided among the | by | across | broken down by | split by | grouped by | group by | segmented by |
        breakdown by | break down by | broken out by | across all | across the | across different | sliced by | separated by |
        over the | by the | down by | split across | spread over | spread across | distributed over | distributed across |
        distributed by | split up by | for the various | for the different | across our | across the various | over all | by
        our | according to | depending on | as a function of | out by | split over | split between | between the""",
    "PER": """per | for each combination of | for every combination of | by combination of | for each | for every | in each |
        within each | each | every | of each | of every | for each of the | by each | from each | in every | under each |
        under every | one row per | a row per | one row for each | a row for each | at each | at every | each of the | for
        each of our | each of our | each of | on each | within every | with each | to each | for each and every | from every |
        within a | each one of the""",
    "WISE": "wise",
    "HOWMANY": """# of | # | the # of | total # of | how many | number of | the number of | count of | total number of | total count
        of | count | how many of the | number | the number | how many total | count up | count the | numbers of | the count
        of | count of the | how many of our | how many of | quantity of | headcount | headcount of | the headcount of |
        tally of | the tally of | tally""",
    "COUNTED": "counts | totals | sums",
    "DISTINCT": "distinct | unique | different | individual | separate",
    "MUCH": """by how much | how much | how much money | how many dollars | how much in total | how much in | what amount | how
        much of the | dollar value of""",
    "LIST": "list | list all | list of | names of | name | show a list of | who are | enumerate | give a list of | names",
    "ALL": "either | all | all of the | all the | any | both | any of the | all our | all of our | every single",
    "TOP": """top | the top | leading | first | the first | the leading | number one | the number one | come first | comes first |
        came first | rank first | ranks first | ranked first | come out on top | comes out on top | came out on top | finish
        first | finished first | top the list | tops the list""",
    "BOTTOM": """bottom | the bottom | come last | comes last | came last | rank last | ranks last | ranked last | finish last |
        finished last""",
    "SUP_DESC": """highest | most | largest | biggest | greatest | longest | slowest | peak | busiest | peaked | at its highest | at
        its peak | at their highest | at their peak | hit its peak | reached its peak | hit its highest | reached its
        highest | hit its high | leads in | leads on | lead in | lead on""",
    "SUP_ASC": """lowest | least | fewest | smallest | shortest | fastest | quickest | least busy | bottomed out | at its lowest | at
        their lowest | hit its low | hit its lowest | reached its lowest""",
    "COMMON_DESC": "most common | most frequent | commonest | most commonly | most often | most frequently | most prevalent",
    "COMMON_ASC": "least common | least frequent | rarest | least often | least frequently",
    "RANK": "rank | ranking of | ranked | ranking | order",
    "ORDER": """ranked by | order by | ordered by | sort by | sorted by | in order of | rank by | and sort by | sorted on |
        ranking by | ranked on | measured by | measured in | in terms of | going by | based on | judged by | by order of |
        when ranked by | ordered on | sort on""",
    "DIR_DESC": """descending | in descending order | highest first | largest first | slowest first | longest first | highest
        to lowest | from highest to lowest | most first | from most to least | most to least | biggest first | from largest to
        smallest | largest to smallest""",
    "DIR_ASC": """ascending | in ascending order | lowest first | smallest first | fastest first | shortest first | lowest to
        highest | from lowest to highest | from least to most | least to most | from smallest to largest | smallest to largest""",
    "STAT_mean": "average | mean | avg | on average | averaged | typical average | the average",
    "STAT_median": "median | typical | at the median | the median | by the median",
    "STAT_p90": "p90 | 90th percentile | 90th percentile of | ninetieth percentile",
    "STAT_max": "maximum | max",
    "STAT_min": "minimum | min",
    "TOTAL": "total | sum of | the sum of | total of | sum | the total | sum up | totals of | totalled",
    "SHARE": """share of | percentage of | percent of | proportion of | fraction of | % of | share | percentage | percent |
        proportion | share of all | percentage of all | percent of all | share of total | share of the total | percentage of
        total | percent of total | distribution of | percentage distribution of | % of all | % of total | proportion of all
        | shares of | portion of | portion | fraction | percentages of | in percent | in % | as a percentage of the total |
        as a percentage of total | as percentage of total | as a share of the total | as a share of total | as percent of
        total | as a percent of total | as a percentage | as a share | shares | out of all | out of every | out of |
        distribution | divided by | mix of | mix | as percentages | in percentages | percentages""",
    "RATIO": "ratio of | the ratio of | ratio",
    "RUN": """add up | adds up | added up | running total of | running total | cumulative | cumulative total of | running |
        cumulative sum of | accumulated | accumulate | accumulates | cumulatively | running sum of | running count of |
        running sum | add up over | added up over | adds up over | cumulated | accumulating | built up | build up | builds
        up""",
    "CHANGE": """difference | the difference | % change | percent change | percentage change | change in | changes in | change of |
        move | moved | moves | change | changed | changes | difference in | absolute change in | absolute change""",
    "GROWN": """grew | grow | grown | rose | rise | risen | increase | increased | increase in | growth in | growth | growth of |
        climbed | go up | goes up | went up | gone up | rise in | gain in | absolute increase in | absolute increase |
        absolute growth in""",
    "SHRUNK": """fell | fallen | dropped | drop in | decrease | decreased | decrease in | declined | decline in | decline |
        shrank | go down | goes down | went down""",
    "TREND": """trend | trends | trend in | trends in | trend of | trend for | over time | trended | trending | as the year went
        along | as the year went on | as the year progressed | as time went on | as the months went by""",
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
    "CMP_gt": """more than | over | above | greater than | higher than | exceeding | exceeds | exceed | exceeded | > | larger than |
        longer than | older than | bigger than | in excess of | upwards of | went past | goes past | went above | goes above
        | tops | topped | topping | surpassed | surpasses | surpass | surpassing | rose above | climbed above | came in
        above | came in over | comes in above | comes in over""",
    "CMP_ge": "minimum | at least | >= | ≥ | no less than | not less than | no fewer than | minimum of | a minimum of | not below",
    "CMP_lt": """less than | under | below | fewer than | < | smaller than | shorter than | younger than | lower than | came in under
        | came in below | comes in under | comes in below""",
    "CMP_le": """at most | <= | ≤ | no more than | not more than | up to | maximum of | a maximum of | not above | not over | did not
        exceed | didn't exceed | does not exceed | doesn't exceed | do not exceed | don't exceed | not exceeding""",
    "CMP_eq": "exactly | equal to | = | equals",
    "POST_ge": "or more | or higher | or above | or over | or older | and over | and older | and above | and up | or greater",
    "POST_le": "or less | or fewer | or lower | or below | or under | or younger | and under | and younger | and below",
    "AVG_gt": """above average | above the average | higher than average | higher than the average | greater than average |
        over the average | better than average | more than average | more than the average | greater than the average | above
        the mean | beats the average | beats the mean | exceeds the average""",
    "AVG_lt": """below average | below the average | lower than average | lower than the average | less than average | under
        the average | fewer than average | less than the average | fewer than the average | below the mean | worse than
        average""",
    "ALLOF_gt": """above the overall | above the overall one | above our overall one | above our overall | higher than the
        overall | higher than the total | above the total | higher than overall | above overall | greater than the overall |
        over the overall | higher than our overall""",
    "ALLOF_lt": """below the overall | below the overall one | below our overall one | below our overall | lower than the
        overall | lower than the total | below the total | lower than overall | below overall | less than the overall | under
        the overall""",
    "BETWEEN": "between",
    "AND": """along with | together with | as well as | showing | and show | and showing | and | - | : | ; | & | , | , and | plus
        the | next to the | next to | / | + | plus | and also | as well as the | but | , but | but only those | , plus | and
        the""",
    "OR": "or | , or | and/or | nor",
    "TO": "to",
    "VS": """vs | vs. | versus | compared to | compared with | against | as compared to | as compared with | v | in comparison
        with | in comparison to | relative to""",
    "COMPARE": """differ between | differs between | differed between | compare | comparison of | comparing | compared |
        compare the | against each other | stack up | stack up against each other | side by side | compares | comparison |
        comparison between | compare with | compare to""",
    "NOT": """anywhere but | everything but | everything except | anything except | anything but | not | excluding | except |
        except for | other than | non | but not | exclude | not including | aside from | isn't | aren't | weren't | wasn't |
        apart from | outside of | outside | leaving out | leave out | if we leave out | without counting | not counting |
        neither | ignoring | with the exception of | all but | besides | leaving | if we exclude | when we exclude | no longer
        | not from | not in | doesn't include | don't include""",
    "EXCLUDED": "excluded | left out | removed | out | not included | not counted | taken out",
    "WITHOUT": """missing a | missing an | missing | lacking a | without an | without | with no | have no | has no | having no |
        without any | with zero | had no | do not have | don't have | did not have | didn't have | have zero | had zero | no
        | zero | never had | never have | have never had | who never had | that never had | without a | without a single |
        never | have not had | has never had | lack | lacking | with not a single | that have zero | there isn't any | there
        aren't any | there wasn't any | there weren't any | there isn't a | there wasn't a | there isn't a single | there
        wasn't a single""",
    "STARTS": """starting with | beginning with | start with | starts with | begin with | begins with | prefix | starting with
        the letter | starts with the letter | that start with | that starts with""",
    "AGED": "aged | ages | years old | year olds | years of age | year old | of age | in the age band | aged from",
    "SEPARATELY": "separately | individually | each separately | each on its own | one at a time",
    "UNIT_WORD": "dollars | usd | % | days | bucks | dollar",
    "CODE_WORD": "code | codes",
}

PHRASES: dict[tuple[str, ...], str] = {
    tuple(phrase.split()): category
    for category, listed in _PHRASES.items()
    for phrase in (part.strip() for part in listed.split("|"))
    if phrase
}
PHRASES[("%",)] = "UNIT_WORD"
_AGAINST = ("vs", "versus", "against", "from", "over", "on", "to", "compared to", "compared with", "relative to", "with")
for _unit, _short in (("week", "wow"), ("month", "mom"), ("quarter", "qoq"), ("year", "yoy")):
    _said = [_short, f"from {_unit} to {_unit}", f"{_unit} to {_unit}", f"from one {_unit} to the next", f"from each {_unit} to the next"]
    _said += [f"{_unit} over {_unit}", f"{_unit} on {_unit}", f"{_unit} against {_unit}"]
    for _against in _AGAINST:
        _said += [f"{_against} {_the}{_before} {_unit}" for _the in ("", "the ") for _before in ("prior", "previous", "preceding")]
        _said += [f"{_against} the {_unit} before", f"{_against} the {_unit} before it"]
    PHRASES |= {tuple(text.split()): f"OVER_{_unit}" for text in _said}
for _high in ("highest", "largest", "biggest", "greatest", "longest", "slowest", "most"):
    for _low in ("lowest", "smallest", "least", "fewest", "shortest", "fastest"):
        PHRASES |= {tuple(f"{_from}{_high} to {_low}".split()): "DIR_DESC" for _from in ("", "from ")}
        PHRASES |= {tuple(f"{_from}{_low} to {_high}".split()): "DIR_ASC" for _from in ("", "from ")}
_OF_YEAR_BEFORE = ["a year earlier", "a year before", "one year earlier", "a year ago", "one year ago", "last year", "the year before"]
_OF_YEAR_BEFORE += ["of last year", "in the year before", "of the year before", "a year prior"]
_OF_YEAR_BEFORE += [f"{_of}{_which} year" for _of in ("", "the ", "of the ", "in the ") for _which in ("prior", "previous")]
for _before in _OF_YEAR_BEFORE:
    for _unit in ("period", "time", "quarter", "month", "months", "week", "half", "window", "stretch"):
        PHRASES |= {tuple(f"{_the}same {_unit} {_before}".split()): "SAME" for _the in ("the ", "")}
for _said_of in ("a year earlier", "one year earlier", "a year ago", "one year ago", "a year before", "a year prior"):
    PHRASES |= {tuple(_said_of.split()): "SAME"}
for _against in _AGAINST[:3]:
    PHRASES |= {(_against, "the", _before, "one"): "OVER_" for _before in ("prior", "previous", "preceding")}


def _words(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


NUMBER_WORDS = {"zero": 0, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10}
NUMBER_WORDS |= {"eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16, "seventeen": 17}
NUMBER_WORDS |= {"eighteen": 18, "nineteen": 19, "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70}
NUMBER_WORDS |= {"eighty": 80, "ninety": 90, "hundred": 100, "thousand": 1000, "million": 1000000}
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
    charging claimed clinic clinical clinician conceived condition conditions copay county courier court dancer data date dated deceived
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
