"""English words that stand within one or two edits of a word of the lexicon and are no misspelling of it."""

from __future__ import annotations

REAL_WORDS = frozenset(
    """
abdication abide abnormally abode abort abound abreast absences abstained accompanies accordingly accordion
acquire acquires acquitted actin actions acton actors additionally additions advices adviser advises affording
afield aground aided aides alight allocated allocation alone alter altogether among ancillary apparently appeal
appealed appealing appeals appearances appreciate appreciates approximate architectures arenas arias articles
asking assent asses associate associates aster attending attracted attraction atypical auction auspicious
auxiliary aversion avoid avoidable awhile backs bacterial barge bases basking batty bears beast beasts beings
bering beside bettering bickering biddle binding bindings biopsied birds blacks bland blight bling block blower blowers
boarders boeing boing bolder booking borden bother bothering bound bounded bower bowers breaching breath bright
bring brown bumps cafes cages cakes called calls calms cancel cancers canes cannon capacities capes capillary
captained cares casey cashing casing castes castings casts cation causal cause caused caves caving ceases centre
centres chance chang changer changes chanted chaplains characterisation characteristics charge charged chases
chile chock chose chucky chunk chunks circulate clams clans claps clarification clash clasp classy claus clauses
claws clays clean clears cleary clements click clinically clinician cloak clocks clone closed closer closes
closet clove clumps clunky clutter cluttered codes coles collusion commendation commended companion companions
comparable compare compares compassion competition competitions complacent complain complainant complainants
complained completed completes complexes compliant complying compositional compressor concealing conceding
conceiving concerned concerns concert concession concessions concluding conclusive concussion concussions
condemning conferring conformation confusion conjoined conserved conserving considers consisted consistency
consistently consisting consolation constrain constrained consultations consultative contacted contacting
contagion container containers contended contented continual continues continuing continuum contrived convening
converging conversing conversion converted converting convinced cooking correction correlations costing costly
costs coulda couldn countered coupe coupled couples course crack crass created creatures criterion crock crown
crunching curing currently currents custer cuter dancer dared daring dates dazed dearly death deceased deception
decomposition decompression decreasing dedicated dedicating dedication deduce deduction deeds deems defected
defection defied define defines definitely definition definitively deflected deflection deformation degrading
dejected demonstration demonstrations demonstrator demonstrators denise denser depiction deport deported
deposited deposition depositors depressed depression depressions depths derailed describe describes descriptions
descriptive descriptor desertion detail detained detecting detective detention devaluation developer developers
developmental developments diagnosed diagnoses diagnosing diagnostics differentiate diffused diffuser digitally
diluted dinner direction discharged discharges discreet distorting distribute distributes distributing
distributions distributor disturbed diversion dominance drown ducks duets dumber dumplings dumps dystrophy early
eases editions eight electoral element elemental elimination enchanted ender enema engagement enlarge entered
entice entirety entre enveloped equals eradicating esther ether evacuation evacuations evaluating evaluations
evidenced evidences evidently evolution exaggerate exasperated exceeding excerpt exchanged excludes excluding
exclusion excursion exhibit exhibited exhibitors exits expanding exposition expression expressions extracted
extraction extremity faction factor factories factory fairs fallow falls farther fasting fated father favour
favours fears feast feature featured featuring fecal feeds fellow females fever fibre fiddle fields fiend fifths
fifty fight filed filth finale finals finley firth fizzy flattered flavor flavored flavors flavoured flight
flint flock flotation flower flowers flustered foils follows formal formation founded fountains fractures fright
frown funding fusing future garde gases gated gather gathering gears generally gentle gentry glade glass glock
gould gower grace graded grader grades grads graduating grady grand grande grape grate grating grave graze
grazing groan groin groped groping ground grounded grounding groupings grout growl grows growths guide guides
hacks hague hails hanged hated hating havin hazing heading hears heaving hides hither holes hollow holographic
hooking hough hound humber humor humour hyped iconography identifier identifiers identifies identities imagine
imagining immersion impartial impatient impersonal imposition impossible impossibly impressing impressionist
impressive improbable inclusion inclusions incompatible inconsistent increases increasingly incursion indefinite
indicator indicators indicted indignation indra induction inductive infact infer infernal inferno infiltration
informatics informational informative infra inherited innes innocence innocently innocents inpatient inscribed
inscription inserted insertion insider insides insignificant insistent inspected insulting intending inter
interior interiors internally interpretations intervals intricate intro invented invention inverter invested
invitation invitations invocation involve involves issue jacks jails jingle joint jules jumps kessel kettering
knows laces lactation lager lamps lancer lands lange langer largo lasting later laterally leaking leaning
leaping leapt lease leash leasing leaving leeds legion legions lending lesson lessons lettering levee levels
lever licks light lightly limit liner literal livelihood livelihoods lively loading local locate locates
locations locking locks locus loner lookin looming looping loosing looting loser losers lover lovers lumber
lumpy luring luster lyrically macao macho macron macros mails making males marco marge margie marginal marin
marinated marking marlin marlins martial martin martins marvin masse massed massey mated mather matty mauro
mayne measured mechanical medal meddle media median mediating mediation medic medical medicated medication
medications menial messes methods metro micron midlife mighty miles milly mince minding mingle misses modal
moderated moderates moderator modes modular modulated modulation module modules molds monograph monographs monte
monty mores moses mother moths mould mound mountains mouth mouths moves mower moyes muddle mules multiples
multiplex multiplied multiplier multiply mumps myles mythological nadal nails narrating narration narratives
natty nearly nears needles needy negatively negatives nelly nerds nether neuer newer night norma normality
norman normative nosed noses notes nudes nymph oblivious obscurity observation observational observe observer
observers observes obtaining obviously occlusion occurring onside opinions oppose opposes opposition oppression
order orders others otter outed overalls ovulation paces packs paint palatable particle party passes pasting
patent pathologist pathology patiently patients patten patter patterned patterns patterson patty pauses pausing
paving pearly pears peeping pence perforated performer performers peripherals periphery persona personally
personas personnel petro pickering pictorial plastered pleading pleasures plight pointe points pointy poles
popularity populated population populations pornographic pornography portability portions positional positioned
positions posterity potentially potentials potion pound pounded powder powders power powers precious predominant
predominately preeminent prescribed prescription presenter presenters presently preserved preserving preset
president presidents presume pretended pretending prevent prevented preventing prevents print priori priory
procedural procedures proceeded proceeds processed procuring production productions progressed projectile
projectiles projecting projective projector projectors prominence prominently propel proponent prosecution
prosecutions prosper protection protections protracted prove proved proves pryor pumps punctuated questioned
questions racks radiation radios rails rated ratio rationally raving reading reappeared reasons reassuring
rebounded recalls reconsider reconsidered recording recreated recurrent redefined redevelopment redistributed
redistribution reduced reeds referrals refined reformation refraction refreshed regimental regionals regretted
regularly regulars regulating regulator rejection rejections religions relocated relocation remarkably removable
removals rendition repeal repealed replace replaces replayed reportedly reporter reporters reports repost
reposted represented repressed repression reproducing require resection resent resented reservations resetting
residence resides resisting resolving resort resorted resorting respected restricted restriction resultant
resumed resumes retention retort retreated returns revel revels revolting revolving riddle rides rights riled
ripple ripples roles roman roper rounder rounds router routinely routines routing rower rowers rubles ruler
rulers rumor rumors rumour rumours runes sable sacks sails saint satellite saving savor scare scope scored
scorer scores scorn screaming screeching screener screenings seams sears season seated secretary sedition seduce
seeded seeds seeks segmented seized selection sense sensibility sever sexist shade shaded shadowing shake shale
shall shame shamed shane shapes share shared sharpe shattered shave shaved shaving shelf shells shelly shingle
shirt shoes shoot shops shore shorts shorty shots shoulda shout shoving showering showings shown showy sickening
sighs sight significance significantly similarly simulated simulation simulations singled singles sings sinner
sited sites sixes sizes skated slacks slated sleight slides slower slowing slows smalls smell snape snell snore
snort snowing snows socal soles solids solis solitaire sound sounded sowing spaced spacer spacex spacey spade
spades spare spares spate spatially speak speaks specially specials specialty specs spell spencer spheres spice
spices spicy spike spock spore sport stables staged staked stale stall standards staple staples stared started
state staten states stats statue statues stayed stems steph stimulate stimulated stimulation stipulate
stipulated stipulation stipulations stops store studied studios studs sturdy subjected subtly suggestion
suggestions suing summarily super superb superiors supervisor supper supplement supplementary supplemented
supplements surgically suspended suspicions suspiciously sutures swell swore symmetric symmetrical symmetry
syndicate syndicated syndication table tails taint tasking tasting tears technically technician techniques tense
textured textures theirs theme therefor theres theses thier thirds thorough thought threes threw throughput
ticketing tides tight timor tingle tissues todays tomography topical topographic topography tough tower towers
trace tracks tract tracy trade trading treason treasures treatments trick trough truck tudor turing tutor tutors
unaccompanied unavoidable unchained uncharted undefined underwear undetected undeveloped unequivocal
unidentified unilateral unilaterally unopposed unreported untreated unwarranted upgrading upped upward valuation
valuations value variables variously vaseline vases vehicular ventral veritable vernacular verses versions
vessels vince vindicated vindication vindictive visualize vocal vocation vogue voted walked waller wallet
warranties wasting waving wears weathering weeds weeping wether whale wherefore whine white whore whose wield
wight wildly willed winding winner wither withering women world woulda wouldn wound wounded wrenching wright
yearn yeast yeats yield
""".split()  # noqa: SIM905
)
