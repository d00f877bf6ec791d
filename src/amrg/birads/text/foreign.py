"""Words of other languages in mammography reports that English ones do not have, by language."""

from __future__ import annotations

FOREIGN_WORDS = {
    "German": frozenset(
        """
und dem ein eine einer einen einem eines nicht kein keine keinen keiner mit ohne beidseits rechts links rechte
rechten linke linken mamma brust brüste befund befunde beurteilung vergleich verdacht verdächtig unauffällig
herdbefund mikrokalk verkalkung verkalkungen raumforderung achselhöhle drüsengewebe dichte empfehlung kontrolle
dicht dichtes dichter drüsenkörper drüsenparenchym brustdrüse brustdrüsengewebe parenchym herd herde herdbefunde
normalbefund mastopathie benigne suspekt suspekter suspekte unverändert bds rundherde verkalkt knoten rechtsseitig
linksseitig mammografie achsel unscharf begrenzt jahr jahre kein weiteres
oberen unteren äußeren inneren oben außen innen unten mammographie beiderseits hinweis nachweis bei zur zum wird
werden ist sind sich nach lymphknoten brustwarze haut bösartig gutartig kategorie rundherd
""".split()  # noqa: SIM905
    ),
    "French": frozenset(
        """
une dans sur avec sans sont pas aucune aucun ou au aux seins droit droite gauche gauches droits masse supéro
externe mammographie microcalcifications densité opacité opacités bilan contrôle ganglion ganglions axillaire
axillaires lésion lésions bilatérale bilatéral suspecte normale examen classée classé antécédent tissu mammaire
mammaires catégorie anomalie anomalies bénigne échographie dépistage prélèvement
""".split()  # noqa: SIM905
    ),
    "Spanish": frozenset(
        """
una con sin por ningún ninguna mama mamas derecha derecho izquierda izquierdo masa masas nódulo nódulos
cuadrante externo interno mamografía hallazgos impresión calcificaciones microcalcificaciones densidad
sospechoso sospechosa benigno benigna ganglios piel axilar conclusión recomienda categoría lesión lesiones
izquierdas derechas observa observan hallazgo ambas sospecha anual composición densas adiposas ecografía benignos
conclusiones sospechosos mamaria heterogéneamente sugiere
""".split()  # noqa: SIM905
    ),
    "Portuguese": frozenset(
        """
uma com sem ou em não direita direito esquerda esquerdo mama mamas nódulo nódulos quadrante mamografia achados
impressão calcificações microcalcificações densidade suspeito suspeita benigno benigna linfonodos pele axila
axilas conclusão categoria lesão lesões ausência observa medindo bilateralmente ambas densas adiposas composição
provavelmente benignas ultrassonografia achado
""".split()  # noqa: SIM905
    ),
    "Italian": frozenset(
        """
il gli della delle dei nella nel con senza non sono mammella mammelle seno destra destro sinistra sinistro
nodulo noduli quadrante mammografia reperti conclusioni calcificazioni microcalcificazioni sospetto sospetta
benigno linfonodi cute ascellare bilaterale densità opacità esterno interno superiore controllo assenza reperto
esito struttura densa lesioni focali sospette ecografia mammaria
""".split()  # noqa: SIM905
    ),
    "Dutch": frozenset(
        """
het een niet geen met zonder rechter linker borst borsten bevindingen conclusie kwadrant verdacht goedaardig
verkalkingen microcalcificaties klierweefsel okselklieren advies rechts links mammografie beiderzijds zijn
densiteit afwijkingen classificatie massa boven lateraal echografie
""".split()  # noqa: SIM905
    ),
    "Swedish": frozenset(
        """
och ett inte ingen inga utan höger vänster bröst brösten fynd utlåtande förkalkningar misstänkt godartad
mammografi
""".split()  # noqa: SIM905
    ),
    "Danish or Norwegian": frozenset(
        """
og ikke ingen uten uden høyre højre venstre bryst brystet funn forkalkninger mistenkt mammografi
""".split()  # noqa: SIM905
    ),
    "Polish": frozenset(
        """
nie jest oraz prawa lewa piersi pierś prawej lewej zmiana zmiany guzek węzły wniosek mammografia kwadrant
zwapnienia piersiach podejrzanych budowie kontrola
""".split()  # noqa: SIM905
    ),
    "Turkish": frozenset(
        """
bir ile sağ meme memede kitle kadran kalsifikasyon izlenmedi izlendi saptanmadı mamografi yoktur sonuç bulgu
dansite yapıda şüpheli görünümde kategori
""".split()  # noqa: SIM905
    ),
    "Romanian": frozenset(
        """
și nu fără sân sânul drept stâng stânga dreapta mamografie calcificări cadran leziune concluzie categorie
""".split()  # noqa: SIM905
    ),
    "Czech": frozenset(
        """
není vpravo vlevo prs prsu pravý levý nález závěr mamografie kvadrant ložisko
""".split()  # noqa: SIM905
    ),
    "Hungarian": frozenset(
        """
nem nincs jobb emlő emlőben lelet vélemény mammográfia
""".split()  # noqa: SIM905
    ),
    "Finnish": frozenset(
        """
ei oikea vasen rinta rinnassa löydös lausunto mammografia
""".split()  # noqa: SIM905
    ),
    "Indonesian": frozenset(
        """
dan tidak dengan payudara kanan kiri kuadran kesan tampak mamografi
""".split()  # noqa: SIM905
    ),
    "Catalan": frozenset(
        """
amb sense dreta esquerra mama mamografia troballes
""".split()  # noqa: SIM905
    ),
}
