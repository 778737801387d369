"""Hand-made passages for the measuring sets: other languages, names and addresses, tables, capitals.

The lines in other languages open well-known works whose authors died before 1950. Names, addresses, numbers and
goods are made up. None of it stands in a training text: `measure_sets` leaves out what does.
"""

from __future__ import annotations

OTHER_LANGUAGES = (
    # French
    "En 1815, M. Charles-François-Bienvenu Myriel était évêque de Digne.",
    "C'était un vieillard d'environ soixante-quinze ans; il occupait le siège de Digne depuis 1806.",
    "L'année 1866 fut marquée par un événement bizarre, un phénomène inexpliqué et inexplicable",
    "Nous étions à l'étude, quand le Proviseur entra, suivi d'un nouveau habillé en bourgeois",
    "Longtemps, je me suis couché de bonne heure. Parfois, à peine ma bougie éteinte, mes yeux se fermaient",
    "Le bon sens est la chose du monde la mieux partagée, car chacun pense en être si bien pourvu",
    "Maître Corbeau, sur un arbre perché, tenait en son bec un fromage.",
    "Il y avait en Westphalie, dans le château de monsieur le baron de Thunder-ten-tronckh, un jeune garçon",
    "Les sanglots longs des violons de l'automne blessent mon cœur d'une langueur monotone.",
    # German
    "Als Gregor Samsa eines Morgens aus unruhigen Träumen erwachte, fand er sich in seinem Bett",
    "Habe nun, ach! Philosophie, Juristerei und Medizin, und leider auch Theologie durchaus studiert",
    "Wer reitet so spät durch Nacht und Wind? Es ist der Vater mit seinem Kind.",
    "In den alten Zeiten, wo das Wünschen noch geholfen hat, lebte ein König, dessen Töchter waren alle schön",
    "Ich weiß nicht, was soll es bedeuten, daß ich so traurig bin; ein Märchen aus alten Zeiten",
    "Zwei Dinge erfüllen das Gemüt mit immer neuer und zunehmender Bewunderung und Ehrfurcht",
    "Jemand mußte Josef K. verleumdet haben, denn ohne daß er etwas Böses getan hätte, wurde er verhaftet.",
    "Über allen Gipfeln ist Ruh, in allen Wipfeln spürest du kaum einen Hauch",
    # Spanish
    "En un lugar de la Mancha, de cuyo nombre no quiero acordarme, no ha mucho tiempo que vivía un hidalgo",
    "¿Qué es la vida? Un frenesí. ¿Qué es la vida? Una ilusión, una sombra, una ficción",
    "Nuestras vidas son los ríos que van a dar en la mar, que es el morir",
    "La heroica ciudad dormía la siesta. El viento Sur, caliente y perezoso, empujaba las nubes blanquecinas",
    "Caminante, no hay camino, se hace camino al andar.",
    "Volverán las oscuras golondrinas en tu balcón sus nidos a colgar",
    "Yo soy un hombre sincero de donde crece la palma",
    # Italian
    "Nel mezzo del cammin di nostra vita mi ritrovai per una selva oscura, ché la diritta via era smarrita.",
    "Quel ramo del lago di Como, che volge a mezzogiorno, tra due catene non interrotte di monti",
    "Sempre caro mi fu quest'ermo colle, e questa siepe, che da tanta parte dell'ultimo orizzonte",
    "C'era una volta... Un re! — diranno subito i miei piccoli lettori.",
    "Voi ch'ascoltate in rime sparse il suono di quei sospiri ond'io nudriva 'l core",
    "Le donne, i cavallier, l'arme, gli amori, le cortesie, l'audaci imprese io canto",
    # Portuguese
    "As armas e os barões assinalados que, da ocidental praia lusitana, por mares nunca de antes navegados",
    "Amor é um fogo que arde sem se ver, é ferida que dói, e não se sente",
    "Algum tempo hesitei se devia abrir estas memórias pelo princípio ou pelo fim",
    "A casa que os Maias vieram habitar em Lisboa, no outono de 1875, era conhecida na vizinhança",
    # Dutch
    "Ik ben makelaar in koffie, en woon op de Lauriergracht, No. 37.",
    "Een nieuwe lente en een nieuw geluid: ik wil dat dit lied klinkt als het gefluit",
    "Wilhelmus van Nassouwe ben ik, van Duitsen bloed, den vaderland getrouwe blijf ik tot in den dood.",
    # Scandinavian languages
    "Det var en afton i början av maj. Den lilla trädgården på Mosebacke hade ännu icke blivit öppnad",
    "Det var en gång en pojke. Han var så där en fjorton år gammal, lång och ranglig och linhårig.",
    "Der var så dejligt ude på landet; det var sommer, kornet stod gult, havren grøn",
    "Langt ude i havet er vandet så blåt, som bladene på den dejligste kornblomst",
    "Det var i den tid jeg gikk omkring og sultet i Kristiania, denne forunderlige by",
    "Ja, vi elsker dette landet, som det stiger frem, furet, værbitt over vannet, med de tusen hjem.",
    "Deyr fé, deyja frændr, deyr sjálfr it sama; en orðstírr deyr aldregi hveim er sér góðan getr.",
    # Finnish, Estonian, Hungarian
    "Jukolan talo, eteläisessä Hämeessä, seisoo erään mäen pohjoisella rinteellä",
    "Mieleni minun tekevi, aivoni ajattelevi lähteäni laulamahan, saa'ani sanelemahan",
    "Mu isamaa, mu õnn ja rõõm, kui kaunis oled sa!",
    "Talpra magyar, hí a haza! Itt az idő, most vagy soha! Rabok legyünk, vagy szabadok?",
    # Slavic languages
    "Litwo! Ojczyzno moja! ty jesteś jak zdrowie; ile cię trzeba cenić, ten tylko się dowie",
    "Byl pozdní večer – první máj – večerní máj – byl lásky čas.",
    "Kde domov můj? Voda hučí po lučinách, bory šumí po skalinách",
    "Lijepa naša domovino, oj junačka zemljo mila",
    # Celtic languages, Romanian, Esperanto
    "Mae hen wlad fy nhadau yn annwyl i mi, gwlad beirdd a chantorion, enwogion o fri",
    "A fost odată ca-n povești, a fost ca niciodată, din rude mari împărătești, o prea frumoasă fată",
    "En la mondon venis nova sento, tra la mondo iras forta voko; per flugiloj de facila vento",
    # Latin
    "Gallia est omnis divisa in partes tres, quarum unam incolunt Belgae, aliam Aquitani",
    "Quousque tandem abutere, Catilina, patientia nostra? quam diu etiam furor iste tuus nos eludet?",
    "Arma virumque cano, Troiae qui primus ab oris Italiam fato profugus Laviniaque venit litora",
    "Vivamus, mea Lesbia, atque amemus, rumoresque senum severiorum omnes unius aestimemus assis!",
    "Exegi monumentum aere perennius regalique situ pyramidum altius",
    "Odi et amo. quare id faciam, fortasse requiris. nescio, sed fieri sentio et excrucior.",
    "Beatus ille, qui procul negotiis, ut prisca gens mortalium, paterna rura bobus exercet suis",
)


def _listed(names: str) -> tuple[str, ...]:
    return tuple(one.strip() for one in names.replace("\n", " ").split("|"))


GIVEN_NAMES = _listed("""
    Aurelia | Bartholomew | Cressida | Dmitri | Eilidh | Ferdinand | Giulietta | Horatio | Ingeborg | Jocasta |
    Kazimierz | Ludovica | Mireille | Nikolaus | Oriana | Piotr | Quentin | Rosalind | Siobhán | Thaddeus | Ulrike |
    Valdemar | Wilhelmina | Xanthe | Yevgenia | Zebulon | Åsa | Bjørn | Chloë | Désirée
""")
FAMILY_NAMES = _listed("""
    Abernathy | Brzezinski | Cholmondeley | D'Arcy | Eszterházy | Featherstonehaugh | Gudmundsson | Hawksworth |
    Iwanowski | Jørgensen | Kjellberg | Llewellyn | MacGillivray | Nakamura | O'Shaughnessy | Przybylski | Quiñones |
    Rosenkrantz | Szczepański | Thistlethwaite | Underhill | Vandenberghe | Wojciechowski | Xenakis | Yarborough |
    Zimmermann | Nguyen | Okonkwo | Fitzgerald-Low | Ng
""")
STREETS = _listed("""
    Cowgate Wynd | Rue des Écoles | Hauptstraße | Via Garibaldi | Calle Mayor | Kärntner Ring | Mill Race Lane |
    Xenia Court | Old Kiln Road | Fjordgata | Pall Mall East | Quarry Bank | Strada Nouă | Tŷ Gwyn Crescent |
    Upper Wharf
""")
TOWNS = _listed("""
    Kirkcudbright | Aberystwyth | Llanelli | Besançon | Göttingen | Trondheim | Zaragoza | Wrocław | Ypsilanti |
    Schenectady | Poughkeepsie | Worcester | Leominster | Frome | Mousehole | Ballachulish | Tegucigalpa | Reykjavík
""")
GOODS = _listed("""
    Hex bolt M8x40 zn | Oat drink 1 l | Toner CF259X | Basmati 5kg | AAA LR03 x8 | Flat white | Gasket 3/4" |
    USB-C cable 2m | Brie 60% 200g | Pencil HB 12pk | Bus day ticket | Ibuprofen 400mg | Masking tape 48mm |
    Eggs L free r. | WD-40 450ml | Socks 39-42
""")
MEASURES = _listed("kg | mm | kWh | °C | hPa | bbl | rpm | mmol/l | dB(A) | km/h | ct | ppm")
ROW_HEADS = _listed("""
    Total | Net | Q1 | Q2 | FY2031 | Mean | s.d. | n | Min. | Max. | Lot 7B | Rev. C | Balance c/f | VAT 20% | EBIT |
    Item no. | Sum | Std. err. | 95% CI
""")
HEADINGS = (
    "NOTICE TO MARINERS",
    "TO BE SOLD BY AUCTION ON THE PREMISES",
    "TABLE OF DISTANCES IN STATUTE MILES",
    "NO SMOKING BEYOND THIS POINT BY ORDER OF THE HARBOUR MASTER",
    "ENTERED ACCORDING TO ACT OF CONGRESS IN THE YEAR 1871",
    "PLEASE KEEP THIS RECEIPT FOR YOUR RECORDS",
    "RETURN WITHIN 14 DAYS TO BRANCH 0417, QUAY STREET",
    "VOL. XXIII.—NO. 584.",
    "IN WITNESS WHEREOF THE PARTIES HAVE HEREUNTO SET THEIR HANDS",
    "DANGER: 400 VOLTS. DO NOT REMOVE COVER.",
    "FIRST CLASS PASSENGERS ONLY",
    "THE UNDERSIGNED HEREBY CERTIFY THE FOLLOWING",
)
